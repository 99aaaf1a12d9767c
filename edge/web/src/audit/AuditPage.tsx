import { AuditView, auditFilterOf } from "@obedio/web/audit";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useHub, useReach, useT } from "../context";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";

/** Who has done what on board, newest first, and whether it is what was written. */
export function AuditPage() {
  const t = useT();
  return (
    <Page title={t("audit.title")}>
      <Guard needs="audit.read"><Audit /></Guard>
    </Page>
  );
}

function Audit() {
  const { api, retry } = useHub();
  const reach = useReach();
  const search = useSearch({ from: "/mqtt/audit" });
  const navigate = useNavigate({ from: "/mqtt/audit" });
  return (
    <AuditView
      api={api}
      path="/audit"
      filter={auditFilterOf({ ...search })}
      onFilter={(filter) => void navigate({ search: filter, replace: true, resetScroll: false })}
      reach={reach}
      onRetry={retry}
    />
  );
}
