import { Button, Pill, useFormats, type ApiError } from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { Link2, Link2Off, RefreshCw } from "lucide-react";
import type { AuditVerification } from "../api/resources";
import { useHub, useT } from "../context";

/** Whether each entry is what was written: read once, and when somebody asks. */
export function Chain() {
  const t = useT();
  const hub = useHub();
  const { number } = useFormats();
  const check = useQuery<AuditVerification, ApiError>({ queryKey: ["audit-verify"], queryFn: ({ signal }) => hub.api.get("/audit/verify", { signal }), staleTime: 0, gcTime: 0 });
  const bad = check.data?.chains.find((c) => !c.ok);
  const entries = check.data?.chains.reduce((n, c) => n + c.entries, 0) ?? 0;
  return (
    <div role="status" data-testid="chain" data-ok={check.data?.ok} className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-2">
      {check.isFetching ? (
        <Pill tone="idle" icon={RefreshCw}>{t("chain.checking")}</Pill>
      ) : check.isError ? (
        <Pill tone="warn" icon={Link2Off}>{t("chain.unknown")}</Pill>
      ) : check.data?.ok ? (
        <Pill tone="ok" icon={Link2}>{t("chain.whole", { n: number(entries) })}</Pill>
      ) : (
        <>
          <Pill tone="bad" icon={Link2Off}>{t("chain.broken")}</Pill>
          <span className="text-sm text-bad">{t("chain.where", { n: bad?.first_bad ?? 0, chain: bad?.chain ?? "", what: bad?.what ?? "" })}</span>
        </>
      )}
      {!check.isFetching && <Button kind="quiet" icon={RefreshCw} onClick={() => void check.refetch()}>{t("chain.again")}</Button>}
    </div>
  );
}
