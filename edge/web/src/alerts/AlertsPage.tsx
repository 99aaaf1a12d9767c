import {
  Button, Chip, DataView, Skeletons, Tab, Tabs, useCell, useFormats, useSettledOrder, useSortedKeys, useStatus, useVersion, viewStateOf,
  type ApiError, type Page as ListPage, type Reach, type ViewState,
} from "@obedio/web";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";
import type { Alert, AlertSeverity } from "../api/resources";
import { useHub, useReach, useT } from "../context";
import { alerts as texts } from "../messages/alerts";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { compareAlerts, isOpen, severities, severityLooks, wantsSomebody } from "./alert";
import { AlertCard, StandingAlert } from "./AlertCard";

/** How many alerts that are over come at a time. */
const perPage = 50;

/** What the installation warns of, now and before. */
export function AlertsPage() {
  const t = useT(texts);
  return (
    <Page title={t("alerts.title")}>
      <Guard needs="alerts.read"><Shown /></Guard>
    </Page>
  );
}

function Shown() {
  const t = useT(texts);
  const { tab = "now" } = useSearch({ from: "/mqtt/alerts" });
  const navigate = useNavigate({ from: "/mqtt/alerts" });
  return (
    <Tabs
      label={t("alerts.title")}
      value={tab}
      onChange={(next) => void navigate({ search: next === "now" ? {} : { tab: next }, replace: true })}
      tabs={[{ value: "now", label: t("alerts.now") }, { value: "history", label: t("alerts.history") }]}
    >
      <Tab value="now"><Standing /></Tab>
      <Tab value="history"><History /></Tab>
    </Tabs>
  );
}

function Standing() {
  const t = useT(texts);
  const hub = useHub();
  const reach = useReach();
  const { number } = useFormats();
  const status = useStatus(hub.alerts);
  const version = useVersion(hub.alerts);
  const [severity, setSeverity] = useState<AlertSeverity>();
  const matches = useCallback((a: Alert) => isOpen(a) && (severity === undefined || a.severity === severity), [severity]);
  const live = useSortedKeys(hub.alerts, matches, compareAlerts);
  const { ids, waiting, settle, handlers } = useSettledOrder(live);
  // oxlint-disable-next-line react-hooks/exhaustive-deps -- version stands for the alerts
  const open = useMemo(() => [...hub.alerts.values()].filter(isOpen), [hub.alerts, version]);
  const first = ids.findIndex((id) => {
    const alert = hub.alerts.get(id);
    return alert !== undefined && !wantsSomebody(alert);
  });
  const fresh = first < 0 ? ids : ids.slice(0, first);
  const seen = first < 0 ? [] : ids.slice(first);
  return (
    <>
      {open.length > 0 && (
        <div role="group" aria-label={t("alerts.severity")} className="mb-4 flex flex-wrap gap-2">
          {severities.map((s) => {
            const n = open.filter((a) => a.severity === s).length;
            return (n > 0 || severity === s) && (
              <Chip key={s} pressed={severity === s} onPress={() => setSeverity(severity === s ? undefined : s)} label={t(`alerts.severity.${s}`)} count={number(n)} icon={severityLooks[s].icon} tone={severityLooks[s].tone} />
            );
          })}
          {waiting > 0 && <Button onClick={settle}>{t("alerts.new", { n: waiting })}</Button>}
        </div>
      )}
      <DataView
        state={viewStateOf({ status, total: open.length, shown: ids.length, reach })}
        quietLink
        onRetry={hub.retry}
        onClearFilter={() => setSeverity(undefined)}
        empty={{ title: t("alerts.none"), detail: t("alerts.none.detail") }}
        skeleton={<Skeletons count={3} itemClass="h-32" className="flex flex-col gap-3" />}
      >
        <div {...handlers} className="flex flex-col gap-3">
          <AlertList ids={fresh} />
          {seen.length > 0 && (
            <section aria-label={t("alerts.seenGroup")}>
              <h2 className="mt-3 mb-2 text-sm font-medium text-fg-muted">{t("alerts.seenGroup")}</h2>
              <AlertList ids={seen} />
            </section>
          )}
        </div>
      </DataView>
    </>
  );
}

function AlertList({ ids }: { ids: readonly string[] }) {
  if (ids.length === 0) return null;
  return <ul className="flex flex-col gap-3">{ids.map((id) => <StandingAlert key={id} id={id} />)}</ul>;
}

function History() {
  const t = useT(texts);
  const hub = useHub();
  const reach = useReach();
  const readings = useCell(hub.readings);
  const version = useVersion(hub.alerts);
  const query = useInfiniteQuery<ListPage<Alert>, ApiError, { pages: ListPage<Alert>[] }, readonly unknown[], string | undefined>({
    queryKey: ["alerts", "cleared", readings],
    queryFn: ({ pageParam, signal }) => hub.api.get<ListPage<Alert>>("/alerts", { query: { state: "cleared", limit: perPage, cursor: pageParam }, signal }),
    initialPageParam: undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: (last) => last,
    gcTime: 0,
  });
  const rows = useMemo(() => {
    const all = new Map(query.data?.pages.flatMap((p) => p.items).map((a) => [a.alert_id, a]));
    // What was over since then came as events.
    for (const a of hub.alerts.values()) if (a.state === "cleared") all.set(a.alert_id, a);
    return [...all.values()].sort((a, b) => (b.cleared_at ?? "").localeCompare(a.cleared_at ?? ""));
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- version stands for the alerts
  }, [query.data, hub.alerts, version]);
  return (
    <DataView
      state={historyState(rows.length, query.isPending, query.error ?? undefined, reach)}
      quietLink
      onRetry={() => void query.refetch()}
      empty={{ title: t("alerts.history.none"), detail: t("alerts.history.none.detail") }}
      skeleton={<Skeletons count={3} itemClass="h-24" className="flex flex-col gap-3" />}
    >
      <ul className="flex flex-col gap-3">{rows.map((a) => <AlertCard key={a.alert_id} alert={a} />)}</ul>
      {query.hasNextPage && (
        <div className="mt-4 flex justify-center">
          <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>{t("alerts.older")}</Button>
        </div>
      )}
    </DataView>
  );
}

function historyState(rows: number, pending: boolean, error: ApiError | undefined, reach: Reach): ViewState {
  const phase = pending ? "loading" : error ? (rows > 0 ? "partial" : "failed") : "ready";
  const status = { phase, error, loadedAt: pending ? undefined : 0 } as const;
  return viewStateOf({ status, total: rows, shown: rows, reach });
}
