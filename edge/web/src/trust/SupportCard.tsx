import { Section } from "@obedio/web";
import { LifeBuoy } from "lucide-react";
import { useHub, useSystem, useT } from "../context";
import { trust as texts } from "../messages/trust";
import { FileLink } from "../shell/ButtonLink";

/** What those need who help from outside. */
export function SupportCard() {
  const t = useT(texts);
  const hub = useHub();
  const site = useSystem()?.site ?? "hub";
  return (
    <Section title={t("support.title")} testId="support">
      <div className="flex flex-col items-start gap-3 p-4">
        <p className="text-sm text-fg-muted">{t("support.detail")}</p>
        <FileLink href={hub.api.url("/system/support")} name={`support-${site}.zip`} icon={LifeBuoy}>{t("support.download")}</FileLink>
      </div>
    </Section>
  );
}
