import { Button, DataView, RelativeTime, Section, Skeletons, useDerived, useStatus, useToast, useWork, viewStateOf, type Collection } from "@obedio/web";
import { ShieldOff } from "lucide-react";
import type { Ban } from "../api/resources";
import { useCanWrite, useHub, usePermits, useReach, useT } from "../context";
import { security } from "../messages/security";
import { Fine } from "./SecurityPage";

export const banKey = (b: Ban) => b.address;
const byEnd = (bans: Collection<Ban>) => [...bans.values()].sort((a, b) => a.until.localeCompare(b.until));

/** Addresses that are kept out after failed sign-ins, and the way to let them in again. */
export function Bans({ list, reload }: { list: Collection<Ban>; reload: () => void }) {
  const t = useT(security);
  const rows = useDerived(list, byEnd);
  const state = viewStateOf({ status: useStatus(list), total: rows.length, shown: rows.length, reach: useReach() });
  return (
    <Section title={t("bans.title")} testId="bans">
      {state.kind === "empty" ? (
        <Fine>{t("bans.none")}</Fine>
      ) : (
        <DataView state={state} quietLink onRetry={reload} empty={{ title: t("bans.none") }} skeleton={<Skeletons count={1} itemClass="h-13" className="p-4" />}>
          <ul className="divide-y divide-line">{rows.map((b) => <Row key={b.address} ban={b} onLifted={reload} />)}</ul>
        </DataView>
      )}
    </Section>
  );
}

function Row({ ban, onLifted }: { ban: Ban; onLifted: () => void }) {
  const t = useT(security);
  const hub = useHub();
  const toast = useToast();
  const may = usePermits("security.write");
  const canWrite = useCanWrite();
  const work = useWork();
  const lift = async () => {
    if (!(await work.run(() => hub.api.delete(`/security/bans/${encodeURIComponent(ban.address)}`)))) return;
    toast({ tone: "ok", title: t("bans.lifted", { address: ban.address }) });
    onLifted();
  };
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3">
      <div className="min-w-0 flex-1 basis-56 text-sm">
        <p className="font-mono font-medium break-all">{ban.address}</p>
        <p className="mt-0.5 text-xs text-fg-dim">
          {t("bans.failures", { n: ban.failures })}{ban.username && ` · ${t("bans.username", { name: ban.username })}`} · {t("bans.until")} <RelativeTime at={ban.until} />
        </p>
        {work.failure && <p role="status" className="mt-1 text-xs text-bad">{work.failure}</p>}
      </div>
      {may && <Button icon={ShieldOff} busy={work.busy} disabled={!canWrite} onClick={() => void lift()}>{t("bans.lift")}</Button>}
    </li>
  );
}
