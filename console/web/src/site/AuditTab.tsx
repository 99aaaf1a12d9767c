import { Banner, DataView } from "@obedio/web";
import { AuditView, auditFilterOf } from "@obedio/web/audit";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { GitFork } from "lucide-react";
import type { Site } from "../api/resources";
import { useConsole, usePermits, useReach, useT } from "../context";

/** The audit of a hub, as far as it has told of it. */
export function AuditTab({ site }: { site: Site }) {
  const t = useT();
  const { api, retry } = useConsole();
  const may = usePermits("audit.read");
  const reach = useReach();
  const { tab: _, ...search } = useSearch({ from: "/sites/$siteId" });
  const navigate = useNavigate({ from: "/sites/$siteId" });
  if (!may) {
    return <DataView state={{ kind: "unavailable", why: "forbidden", needs: "audit.read" }} empty={{ title: t("site.tab.audit") }} skeleton={null}>{null}</DataView>;
  }
  return (
    <div className="flex flex-col gap-5">
      <ForkNote site={site} />
      <AuditView
        api={api}
        path={`/sites/${encodeURIComponent(site.site_id)}/audit`}
        filter={auditFilterOf({ ...search })}
        onFilter={(filter) => void navigate({ search: { tab: "audit", ...filter }, replace: true, resetScroll: false })}
        reach={reach}
        onRetry={retry}
      />
    </div>
  );
}

/** Says in red that the hub's audit has been told in two ways. */
export function ForkNote({ site }: { site: Site }) {
  const t = useT();
  if (!site.audit_forks) return null;
  return (
    <Banner testId="audit-forks" tone="bad" icon={GitFork} title={t("security.forks", { n: site.audit_forks })}>{t("security.forks.detail")}</Banner>
  );
}
