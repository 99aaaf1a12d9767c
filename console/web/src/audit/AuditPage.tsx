import { DataView } from "@obedio/web";
import { AuditView, auditFilterOf } from "@obedio/web/audit";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useConsole, usePermits, useReach, useT } from "../context";
import { Page } from "../shell/Page";

/** What was done at this console, by whom, and whether nobody has rewritten it. */
export function AuditPage() {
  const t = useT();
  const { api, retry } = useConsole();
  const may = usePermits("audit.read");
  const reach = useReach();
  const search = useSearch({ from: "/audit" });
  const navigate = useNavigate({ from: "/audit" });
  return (
    <Page title={t("audit.title")} name={t("audit.title")}>
      <p className="pb-4 text-sm text-fg-muted">{t("audit.lead")}</p>
      {may ? (
        <AuditView
          api={api}
          path="/audit"
          filter={auditFilterOf({ ...search })}
          onFilter={(filter) => void navigate({ search: filter, replace: true, resetScroll: false })}
          reach={reach}
          onRetry={retry}
        />
      ) : (
        <DataView state={{ kind: "unavailable", why: "forbidden", needs: "audit.read" }} empty={{ title: t("audit.title") }} skeleton={null}>{null}</DataView>
      )}
    </Page>
  );
}
