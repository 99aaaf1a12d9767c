import { Notice } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { useT } from "../context";
import { Page } from "./Page";

export function Missing() {
  const t = useT();
  return (
    <Page title={t("page.missing")} name={t("page.missing")}>
      <Notice testId="page-missing" icon={Compass} title={t("page.missing")} detail={t("page.missing.detail")}>
        <Link to="/fleet" className="inline-flex min-h-control items-center rounded-control bg-accent px-4 text-sm font-medium text-on-accent">
          {t("page.missing.home")}
        </Link>
      </Notice>
    </Page>
  );
}
