import {
  Button, Chip, DataView, FilterBox, Skeletons, Tab, Tabs, useFormats, useItem, useKeys, useSettledOrder, useSortedKeys, useStatus, useToast, useVersion, viewStateOf, useWork,
  type Collection,
} from "@obedio/web";
import { severities, severityLooks, type Severity } from "@obedio/web/alerts";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { CheckCheck } from "lucide-react";
import { useCallback, useEffect, useMemo, useState } from "react";
import type { FleetAlert } from "../api/resources";
import { useCanWrite, useConsole, usePermits, useReach, useT } from "../context";
import { alertKey } from "../fleet-console";
import { useGrowingList } from "../lists";
import { alerts as texts } from "../messages/alerts";
import { Page } from "../shell/Page";
import { AlertCard } from "./AlertCard";
import { Windows } from "./Windows";
import { compareAlerts, isGone, useAlertWords } from "./words";

type Shown = "now" | "history" | "windows";

/** What the fleet warns of, now and before, and who is expected to be away. */
export function AlertsPage() {
  const t = useT(texts);
  const tab: Shown = useSearch({ from: "/alerts" }).tab ?? "now";
  const navigate = useNavigate({ from: "/alerts" });
  return (
    <Page title={t("alerts.title")} name={t("alerts.title")}>
      <Tabs
        label={t("alerts.title")}
        value={tab}
        onChange={(next: Shown) => void navigate({ search: next === "now" ? {} : { tab: next }, replace: true })}
        tabs={[{ value: "now", label: t("alerts.now") }, { value: "history", label: t("alerts.history") }, { value: "windows", label: t("alerts.windows") }]}
      >
        <Tab value="now"><Inbox /></Tab>
        <Tab value="history"><History /></Tab>
        <Tab value="windows"><Windows /></Tab>
      </Tabs>
    </Page>
  );
}

function Inbox() {
  const t = useT(texts);
  const console = useConsole();
  const words = useAlertWords();
  const reach = useReach();
  const { number } = useFormats();
  const status = useStatus(console.alerts);
  const version = useVersion(console.alerts);
  const [severity, setSeverity] = useState<Severity>();
  const [word, setWord] = useState("");
  const matches = useCallback(
    (a: FleetAlert) => {
      const needle = word.trim().toLowerCase();
      return (severity === undefined || a.severity === severity)
        && (needle === "" || [a.site_id, a.site_name, a.kind, words.title(a), a.subject ?? ""].some((s) => s.toLowerCase().includes(needle)));
    },
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- the words change with the language only
    [severity, word],
  );
  const live = useSortedKeys(console.alerts, matches, compareAlerts);
  const { ids, waiting, settle, handlers } = useSettledOrder(live);
  // oxlint-disable-next-line react-hooks/exhaustive-deps -- version stands for the alerts
  const all = useMemo(() => [...console.alerts.values()], [console.alerts, version]);
  return (
    <>
      {all.length > 0 && (
        <div className="mb-4 flex flex-wrap items-start gap-2">
          <FilterBox value={word} onChange={setWord} label={t("alerts.filter")} placeholder={t("alerts.filterHint")} testId="alert-filter" className="w-full max-w-sm basis-64" />
          <div role="group" aria-label={t("alerts.severity")} className="flex flex-wrap gap-2">
            {severities.map((s) => {
              const n = all.filter((a) => a.severity === s).length;
              return (n > 0 || severity === s) && (
                <Chip key={s} pressed={severity === s} onPress={() => setSeverity(severity === s ? undefined : s)} label={t(`alerts.severity.${s}`)} count={number(n)} icon={severityLooks[s].icon} tone={severityLooks[s].tone} />
              );
            })}
          </div>
          <div className="ml-auto flex flex-wrap gap-2">
            {waiting > 0 && <Button kind="primary" onClick={settle}>{t("alerts.new", { n: waiting })}</Button>}
            <AcknowledgeGone all={all.filter((a) => matches(a) && isGone(a) && !a.seen_at)} />
          </div>
        </div>
      )}
      <DataView
        state={viewStateOf({ status, total: all.length, shown: ids.length, reach })}
        quietLink
        onRetry={console.retry}
        onClearFilter={() => { setSeverity(undefined); setWord(""); }}
        empty={{ title: t("alerts.none"), detail: t("alerts.none.detail") }}
        skeleton={<Skeletons count={4} itemClass="h-24" className="flex flex-col gap-3" />}
      >
        <div {...handlers}><AlertList ids={ids} items={console.alerts} label={t("alerts.now")} /></div>
      </DataView>
    </>
  );
}

/** What is over and was not seen: after a long absence that is much, and one press. */
function AcknowledgeGone({ all }: { all: readonly FleetAlert[] }) {
  const t = useT(texts);
  const console = useConsole();
  const toast = useToast();
  const work = useWork();
  const may = usePermits("alerts.acknowledge");
  const canWrite = useCanWrite();
  if (!may || all.length < 2) return null;
  const run = async () => {
    const done = await work.run(async () => {
      for (const alert of all) await console.acknowledge(alert);
    });
    if (done) toast({ tone: "ok", title: t("alerts.acked") });
  };
  return <Button icon={CheckCheck} busy={work.busy} disabled={!canWrite} onClick={() => void run()}>{t("alerts.ackAll", { n: all.length })}</Button>;
}

function AlertList({ ids, items, label }: { ids: readonly string[]; items: Collection<FleetAlert>; label: string }) {
  // The first hundreds as they are; what is more is reached by the filter.
  const shown = ids.slice(0, 300);
  return (
    <ul aria-label={label} className="flex flex-col gap-3">
      {shown.map((id) => <One key={id} id={id} items={items} />)}
    </ul>
  );
}

function One({ id, items }: { id: string; items: Collection<FleetAlert> }) {
  const alert = useItem(items, id);
  return alert ? <AlertCard alert={alert} /> : null;
}

const byArrival = (c: Collection<FleetAlert>) => [...c.values()].sort((a, b) => b.arrived_at.localeCompare(a.arrived_at)).map(alertKey);

function History() {
  const t = useT(texts);
  const { list, reload, more } = useGrowingList<FleetAlert>("/alerts", alertKey, { open: "false" });
  const ids = useKeys(list, byArrival);
  const reach = useReach();
  return (
    <DataView
      state={viewStateOf({ status: useStatus(list), total: ids.length, shown: ids.length, reach })}
      quietLink
      onRetry={reload}
      empty={{ title: t("alerts.history.none"), detail: t("alerts.history.none.detail") }}
      skeleton={<Skeletons count={4} itemClass="h-24" className="flex flex-col gap-3" />}
    >
      <AlertList ids={ids} items={list} label={t("alerts.history")} />
      {more && <div className="mt-4 flex justify-center"><Button onClick={() => void more()}>{t("alerts.older")}</Button></div>}
    </DataView>
  );
}

/** The alerts of one site, on its page. */
export function SiteAlerts({ siteId }: { siteId: string }) {
  const t = useT(texts);
  const { list, reload, more } = useGrowingList<FleetAlert>(`/sites/${encodeURIComponent(siteId)}/alerts`, alertKey);
  const console = useConsole();
  const version = useVersion(console.alerts);
  const ids = useKeys(list, useCallback((c: Collection<FleetAlert>) => [...c.values()].sort((a, b) => b.arrived_at.localeCompare(a.arrived_at)).map(alertKey), []));
  // What events say is newer than what was read when the tab opened.
  useEffect(() => {
    for (const a of console.alerts.values()) if (a.site_id === siteId) list.upsert(a);
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- version stands for the alerts
  }, [console.alerts, version, list, siteId]);
  const reach = useReach();
  return (
    <DataView
      state={viewStateOf({ status: useStatus(list), total: ids.length, shown: ids.length, reach })}
      quietLink
      onRetry={reload}
      empty={{ title: t("alerts.site.none"), detail: t("alerts.site.none.detail") }}
      skeleton={<Skeletons count={3} itemClass="h-24" className="flex flex-col gap-3" />}
    >
      <ul className="flex flex-col gap-3">{ids.map((id) => <OfSite key={id} id={id} list={list} />)}</ul>
      {more && <div className="mt-4 flex justify-center"><Button onClick={() => void more()}>{t("alerts.older")}</Button></div>}
    </DataView>
  );
}

function OfSite({ id, list }: { id: string; list: Collection<FleetAlert> }) {
  const alert = useItem(list, id);
  return alert ? <AlertCard alert={alert} ofSite onChanged={(a) => list.upsert(a)} /> : null;
}
