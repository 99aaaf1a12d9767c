import { useT } from "../context";
import { Page } from "../shell/Page";

export function AboutPage() {
  const t = useT();
  return <Page title={t("nav.about")}>{null}</Page>;
}
