import { Button, Chip, DataView, Pill, RelativeTime, Section, Skeletons, useDerived, useFormats, useItem, useSettledOrder, useStatus, viewStateOf, type Collection, type Look } from "@obedio/web";
import { Gauge, ListPlus, ShieldX, UserX } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import type { Denial } from "../api/resources";
import { useHub, usePermits, useReach, useT } from "../context";
import { security } from "../messages/security";
import { NewItems } from "../devices/NewItems";
import { ButtonLink } from "../shell/ButtonLink";
import { Fine } from "./SecurityPage";

const kinds = ["denied", "refused", "limited"] as const;
const looks: Record<Denial["kind"], Look> = {
  denied: { icon: ShieldX, tone: "warn" },
  refused: { icon: UserX, tone: "bad" },
  limited: { icon: Gauge, tone: "idle" },
};
const firstShown = 15;

/** What the broker held against clients, grouped, as it happens; each is one step from a rule. */
export function Denials() {
  const t = useT(security);
  const hub = useHub();
  const { number } = useFormats();
  const [kind, setKind] = useState<Denial["kind"]>();
  const [most, setMost] = useState(firstShown);
  const rows = useDerived(hub.denials, newestFirst);
  const found = useMemo(() => rows.filter((d) => kind === undefined || d.kind === kind).map((d) => String(d.id)), [rows, kind]);
  const settled = useSettledOrder(found);
  const counts = useDerived(hub.denials, countKinds);
  const read = useCallback(() => hub.readDenials(), [hub]);
  const state = viewStateOf({ status: useStatus(hub.denials), total: rows.length, shown: found.length, reach: useReach() });
  return (
    <Section title={t("denials.title")} note={t("denials.note")} testId="denials">
      {state.kind === "empty" ? (
        <Fine>{t("denials.none")}</Fine>
      ) : (
        <>
          {rows.length > 0 && (
            <div className="flex gap-2 overflow-x-auto border-b border-line px-4 py-3">
              {kinds.filter((k) => counts[k] > 0 || k === kind).map((k) => (
                <Chip key={k} icon={looks[k].icon} tone={looks[k].tone} label={t(`denial.${k}`)} count={number(counts[k])} pressed={k === kind} onPress={() => setKind(k === kind ? undefined : k)} />
              ))}
            </div>
          )}
          <DataView state={state} quietLink onRetry={read} onClearFilter={() => setKind(undefined)} empty={{ title: t("denials.none") }} skeleton={<Skeletons count={3} itemClass="h-16" className="flex flex-col gap-2 p-4" />}>
            <NewItems settled={settled} />
            <ul className="divide-y divide-line" {...settled.handlers}>
              {settled.ids.slice(0, most).map((id) => <Row key={id} id={id} />)}
            </ul>
            {settled.ids.length > most && <div className="flex justify-center border-t border-line p-2"><Button kind="quiet" onClick={() => setMost(most + 50)}>{t("list.more")}</Button></div>}
          </DataView>
        </>
      )}
    </Section>
  );
}

function Row({ id }: { id: string }) {
  const t = useT(security);
  const hub = useHub();
  const { number } = useFormats();
  const mayChange = usePermits("security.write");
  const denial = useItem(hub.denials, id);
  if (!denial) return null;
  const look = looks[denial.kind];
  const known = denial.client_id !== undefined && hub.devices.get(denial.client_id) !== undefined;
  const what = denial.action && denial.topic;
  return (
    <li data-testid="denial" data-kind={denial.kind} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3">
      <div className="min-w-0 flex-1 basis-64">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-sm">
          <Pill tone={look.tone} icon={look.icon}>{t(`denial.${denial.kind}`)}</Pill>
          <span className="font-medium">{denial.client_id ?? denial.remote ?? t("denial.unknown")}</span>
          {denial.action && <span className="text-fg-muted">{t(`denial.action.${denial.action as "subscribe"}`)}</span>}
          {denial.count > 1 && <span className="text-fg-dim">{t("denial.times", { n: number(denial.count) })}</span>}
        </p>
        {denial.topic && <code className="mt-1 block font-mono text-xs break-all text-fg-muted">{denial.topic}</code>}
        <p className="mt-1 text-xs text-fg-dim">
          {t("denial.because", { reason: denial.reason })}
          {denial.remote && denial.client_id && ` · ${t("denial.from", { address: denial.remote })}`} · <RelativeTime at={denial.last_at} />
        </p>
      </div>
      {denial.kind === "denied" && what && known && (
        <div className="flex flex-wrap gap-2">
          <ButtonLink kind="quiet" to="/mqtt/security/acl" search={{ tab: "test", client: denial.client_id, action: denial.action, topic: denial.topic }}>{t("denial.why")}</ButtonLink>
          {mayChange && <ButtonLink icon={ListPlus} to="/mqtt/security/acl" search={{ tab: "rules", add: "rule", client: denial.client_id, action: denial.action, topic: denial.topic }}>{t("denial.rule")}</ButtonLink>}
        </div>
      )}
    </li>
  );
}

const newestFirst = (denials: Collection<Denial>) => [...denials.values()].sort((a, b) => b.last_at.localeCompare(a.last_at) || b.id - a.id);

function countKinds(denials: Collection<Denial>): Record<Denial["kind"], number> {
  const counts = { denied: 0, refused: 0, limited: 0 };
  for (const d of denials.values()) counts[d.kind]++;
  return counts;
}
