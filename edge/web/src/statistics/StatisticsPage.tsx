import { Chip, DataView, RelativeTime, Section, Skeletons, stopwatch, useClock, useFormats, type ViewState } from "@obedio/web";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { ChartBar, Download, Table2, TriangleAlert } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import type { ResponseGroup, ResponseStatistics, ResponseTimes } from "../api/resources";
import { useHub, useT } from "../context";
import { statistics } from "../messages/statistics";
import { BackLink } from "../shell/BackLink";
import { FileLink } from "../shell/ButtonLink";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { useReading } from "../shell/reading";

const day = 86_400_000;
const ranges = { day, week: 7 * day, month: 30 * day, quarter: 90 * day };
type Range = keyof typeof ranges;
type By = ResponseStatistics["by"];
const rangeNames = Object.keys(ranges) as Range[];
const groupings: readonly By[] = ["room", "team", "kind", "hour", "day"];
/** Milliseconds between two readings while the page is open. */
const readEvery = 60_000;

/** How fast calls are accepted and done. */
export function StatisticsPage() {
  const t = useT(statistics);
  return (
    <Page title={t("nav.statistics")}>
      <BackLink to="/mqtt/dashboard">{t("nav.calls")}</BackLink>
      <Guard needs="requests.read"><Reading /></Guard>
    </Page>
  );
}

function Reading() {
  const t = useT(statistics);
  const hub = useHub();
  const clock = useClock();
  const search = useSearch({ from: "/mqtt/requests/statistics" });
  const navigate = useNavigate({ from: "/mqtt/requests/statistics" });
  const range = search.range ?? "week";
  const by = search.by ?? "room";
  // To the whole minute, so that the same view is the same reading.
  const [from, setFrom] = useState(() => ({ range, at: Math.floor(clock.now() / 60_000) * 60_000 }));
  if (from.range !== range) setFrom({ range, at: Math.floor(clock.now() / 60_000) * 60_000 });
  const query = useMemo(() => ({ from: new Date(from.at - ranges[range]).toISOString(), by }), [from.at, range, by]);
  const { data, state, reading } = useReading<ResponseStatistics>({ path: "/requests/statistics", query, needs: "requests.read", every: readEvery });
  const put = (r: Range, b: By) =>
    void navigate({ search: { ...(r === "week" ? {} : { range: r }), ...(b === "room" ? {} : { by: b }) }, replace: true, resetScroll: false });
  const shown: ViewState = data && data.total.requests === 0 && state.kind === "live" ? { kind: "empty" } : state;
  return (
    <div className="flex flex-col gap-5">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        <div role="group" aria-label={t("statistics.range")} className="flex flex-wrap gap-2">
          {rangeNames.map((r) => <Chip key={r} pressed={range === r} onPress={() => put(r, by)} label={t(`statistics.range.${r}`)} />)}
        </div>
        <FileLink href={hub.api.url("/requests/statistics", { ...query, format: "csv" })} name="response-times.csv" icon={Download}>{t("statistics.csv")}</FileLink>
      </div>
      <div role="group" aria-label={t("statistics.by")} className="flex flex-wrap items-center gap-2">
        <span className="mr-1 text-sm text-fg-muted">{t("statistics.by")}</span>
        {groupings.map((b) => <Chip key={b} pressed={by === b} onPress={() => put(range, b)} label={t(`statistics.by.${b}`)} />)}
      </div>
      <DataView
        state={shown}
        quietLink
        onRetry={() => void reading.refetch()}
        empty={{ title: t("statistics.empty"), detail: t("statistics.empty.detail") }}
        skeleton={<Skeletons count={2} itemClass="h-56" className="flex flex-col gap-5" />}
      >
        {data && <Findings data={data} />}
      </DataView>
      <p className="text-xs text-fg-dim">{t("statistics.note")} {data && <>{t("statistics.asOf")} <RelativeTime at={data.to} /></>}</p>
    </div>
  );
}

/** What a group is called. */
function useGroupName(by: By): (g: ResponseGroup) => string {
  const t = useT(statistics);
  const { day: dayOf } = useFormats();
  return useCallback(
    (g) => {
      if (by === "hour") return t("statistics.hour", { hour: g.key });
      if (by === "day") return dayOf(Date.parse(`${g.key}T12:00:00Z`));
      return g.name || g.key || (by === "team" ? t("statistics.noTeam") : t("statistics.plain"));
    },
    [t, by, dayOf],
  );
}

function Findings({ data }: { data: ResponseStatistics }) {
  const t = useT(statistics);
  const [table, setTable] = useState(false);
  return (
    <div data-testid="statistics" className="flex flex-col gap-5">
      <Totals total={data.total} />
      <Section
        title={t("statistics.chart", { by: t(`statistics.by.${data.by}`) })}
        actions={
          <div role="group" aria-label={t("statistics.view")} className="flex gap-2">
            <Chip pressed={!table} onPress={() => setTable(false)} label={t("statistics.view.chart")} icon={ChartBar} />
            <Chip pressed={table} onPress={() => setTable(true)} label={t("statistics.view.table")} icon={Table2} />
          </div>
        }
      >
        {table ? <GroupTable data={data} /> : <Bars data={data} />}
      </Section>
    </div>
  );
}

/** A length of time: seconds with a tenth while it is short. */
function useLength(): (ms: number | undefined) => string {
  const t = useT(statistics);
  const { locale } = useFormats();
  return useMemo(() => {
    const short = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
    return (ms) => (ms === undefined ? t("statistics.none") : ms < 10_000 ? t("statistics.seconds", { s: short.format(ms / 1000) }) : stopwatch(ms));
  }, [t, locale]);
}

function Totals({ total }: { total: ResponseTimes }) {
  const t = useT(statistics);
  const { number } = useFormats();
  const length = useLength();
  const tiles = [
    { label: t("statistics.accept"), value: length(total.accept?.median_ms), detail: total.accept && t("statistics.p95.of", { time: length(total.accept.p95_ms) }) },
    { label: t("statistics.complete"), value: length(total.complete?.median_ms), detail: total.complete && t("statistics.p95.of", { time: length(total.complete.p95_ms) }) },
    { label: t("statistics.requests"), value: number(total.requests) },
    { label: t("statistics.missed"), value: number(total.missed), warn: total.missed > 0 },
    { label: t("statistics.cancelled"), value: number(total.cancelled) },
  ];
  return (
    <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3 sm:gap-4 lg:grid-cols-5">
      {tiles.map(({ label, value, detail, warn }) => (
        <div key={label} className="rounded-card border border-line bg-ink-850 px-4 py-3">
          <dt className="flex items-center gap-1.5 text-xs text-fg-dim">{warn && <TriangleAlert aria-hidden className="size-4 text-bad" />}{label}</dt>
          <dd className={warn ? "mt-1 text-lg font-semibold text-bad" : "mt-1 text-lg font-semibold"}>{value}</dd>
          {detail && <dd className="text-xs text-fg-muted">{detail}</dd>}
        </div>
      ))}
    </dl>
  );
}

/** One bar for each group: the median is filled, the line behind it reaches to where 95 of 100 are. */
function Bars({ data }: { data: ResponseStatistics }) {
  const t = useT(statistics);
  const { number } = useFormats();
  const nameOf = useGroupName(data.by);
  const most = Math.max(1, ...data.groups.map((g) => g.accept?.p95_ms ?? 0));
  const length = useLength();
  return (
    <div className="px-4 py-3">
      <ul data-testid="bars" className="flex flex-col">
        {data.groups.map((g) => {
          const { accept } = g;
          const name = nameOf(g);
          return (
            <li key={g.key} className="grid grid-cols-[minmax(5.5rem,11rem)_minmax(0,1fr)_auto] items-center gap-x-3 py-2 text-sm">
              <span className="truncate" title={name}>{name}</span>
              <span
                role="img"
                aria-label={t("statistics.bar", { name, median: length(accept?.median_ms), p95: length(accept?.p95_ms), n: number(g.requests) })}
                className="relative h-5 rounded-sm bg-ink-800"
              >
                {accept && (
                  <>
                    <span className="absolute inset-y-0 left-0 rounded-sm border-r-2 border-accent-fg bg-accent-soft" style={{ width: `${(accept.p95_ms / most) * 100}%` }} />
                    <span className="absolute inset-y-0 left-0 rounded-sm bg-accent" style={{ width: `${(accept.median_ms / most) * 100}%` }} />
                  </>
                )}
              </span>
              <span aria-hidden className="flex min-w-24 items-center justify-end gap-2 text-right text-xs text-fg-muted tabular-nums sm:min-w-36">
                {g.missed > 0 && <span className="inline-flex items-center gap-1 text-bad"><TriangleAlert className="size-3.5" />{number(g.missed)}</span>}
                <span className="font-medium text-fg">{length(accept?.median_ms)}</span>
                <span className="hidden sm:inline">{accept ? length(accept.p95_ms) : ""}</span>
                <span>{t("calls.times", { n: g.requests })}</span>
              </span>
            </li>
          );
        })}
      </ul>
      <ul className="flex flex-wrap gap-x-5 gap-y-1 pt-2 text-xs text-fg-muted">
        <li className="flex items-center gap-2"><span aria-hidden className="h-3 w-6 rounded-sm bg-accent" />{t("statistics.median")}</li>
        <li className="flex items-center gap-2"><span aria-hidden className="h-3 w-6 rounded-sm border-r-2 border-accent-fg bg-accent-soft" />{t("statistics.p95")}</li>
        <li className="flex items-center gap-2"><TriangleAlert aria-hidden className="size-3.5 text-bad" />{t("statistics.missed")}</li>
      </ul>
    </div>
  );
}

function GroupTable({ data }: { data: ResponseStatistics }) {
  const t = useT(statistics);
  const { number } = useFormats();
  const nameOf = useGroupName(data.by);
  const length = useLength();
  const head = "px-4 py-2 font-normal whitespace-nowrap";
  const columns: { key: string; label: string; of: (r: ResponseTimes) => string }[] = [
    { key: "requests", label: t("statistics.requests"), of: (r) => number(r.requests) },
    { key: "accept", label: `${t("statistics.accept")}, ${t("statistics.median")}`, of: (r) => length(r.accept?.median_ms) },
    { key: "accept95", label: t("statistics.p95"), of: (r) => length(r.accept?.p95_ms) },
    { key: "complete", label: `${t("statistics.complete")}, ${t("statistics.median")}`, of: (r) => length(r.complete?.median_ms) },
    { key: "complete95", label: t("statistics.p95"), of: (r) => length(r.complete?.p95_ms) },
    { key: "missed", label: t("statistics.missed"), of: (r) => number(r.missed) },
    { key: "cancelled", label: t("statistics.cancelled"), of: (r) => number(r.cancelled) },
  ];
  const rows = [...data.groups.map((g) => ({ key: g.key, name: nameOf(g), times: g as ResponseTimes })), { key: " total", name: t("statistics.total"), times: data.total }];
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls is reached by the keyboard
    <div role="group" aria-label={t("nav.statistics")} tabIndex={0} className="overflow-x-auto">
      <table data-testid="statistics-table" className="w-full min-w-[46rem] text-sm tabular-nums">
        <thead>
          <tr className="border-b border-line text-left text-xs text-fg-dim">
            <th scope="col" className={head}>{t(`statistics.by.${data.by}`)}</th>
            {columns.map((c) => <th key={c.key} scope="col" className={`${head} text-right`}>{c.label}</th>)}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, name, times }) => (
            <tr key={key} className="border-b border-line/60 last:border-0 last:font-semibold">
              <th scope="row" className="px-4 py-2.5 text-left font-medium">{name}</th>
              {columns.map((c) => <td key={c.key} className="px-4 py-2.5 text-right">{c.of(times)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
