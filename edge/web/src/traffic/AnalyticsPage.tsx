import { Button, Chip, DataView, RelativeTime, Section, Skeletons, useClock, useFormats, type ApiError, type ViewState } from "@obedio/web";
import { TimeChart, type ChartLine } from "@obedio/web/chart";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { ChartLine as ChartIcon, Download, RefreshCw, Table2, TriangleAlert } from "lucide-react";
import { useMemo, useState, type ReactNode } from "react";
import { useHub, useReach, useT } from "../context";
import { analytics } from "../messages/analytics";
import { FileLink } from "../shell/ButtonLink";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { bucketsOf, type Bucket, type Counted, type Metrics } from "./buckets";
import { Talkers, useTalkerName, type TalkerGroup } from "./Talkers";
import { TrafficNav } from "./TrafficNav";

const hour = 3_600_000;
const ranges = {
  day: { span: 24 * hour, bucket: "15m" },
  week: { span: 7 * 24 * hour, bucket: "2h" },
  month: { span: 30 * 24 * hour, bucket: "6h" },
} as const;
type Range = keyof typeof ranges;
const rangeNames = Object.keys(ranges) as Range[];
const top = 10;
/** Milliseconds between two readings while the page is open. */
const readEvery = 60_000;

/** How much passed the broker, when, and from whom. */
export function AnalyticsPage() {
  const t = useT(analytics);
  return (
    <Page title={t("analytics.title")}>
      <TrafficNav />
      <Guard needs="traffic.read"><Analytics /></Guard>
    </Page>
  );
}

function useMetrics(range: Range, by: TalkerGroup) {
  const hub = useHub();
  const clock = useClock();
  return useQuery<{ metrics: Metrics; at: number }, ApiError>({
    queryKey: ["traffic-metrics", range, by],
    queryFn: async ({ signal }) => {
      const at = clock.now();
      const { span, bucket } = ranges[range];
      const query = { from: new Date(at - span).toISOString(), to: new Date(at).toISOString(), bucket, group_by: by, top };
      return { metrics: await hub.api.get<Metrics>("/traffic/metrics", { query, signal }), at };
    },
    refetchInterval: readEvery,
    // What was read before stays until the next is here, but not under the name of another time.
    placeholderData: (last, query) => (query?.queryKey[1] === range ? last : undefined),
  });
}

function Analytics() {
  const t = useT(analytics);
  const reach = useReach();
  const search = useSearch({ from: "/mqtt/traffic/analytics" });
  const navigate = useNavigate({ from: "/mqtt/traffic/analytics" });
  const range = search.range ?? "day";
  const by: TalkerGroup = search.by ?? "device";
  const { data, error, isPending, isFetching, refetch } = useMetrics(range, by);
  const put = (next: Range, group: TalkerGroup) =>
    void navigate({ search: { ...(next === "day" ? {} : { range: next }), ...(group === "device" ? {} : { by: group }) }, replace: true, resetScroll: false });
  return (
    <div className="flex flex-col gap-5">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        <div role="group" aria-label={t("analytics.range")} className="flex flex-wrap gap-2">
          {rangeNames.map((name) => <Chip key={name} pressed={range === name} onPress={() => put(name, by)} label={t(`analytics.range.${name}`)} />)}
        </div>
        <div className="flex items-center gap-3 text-sm text-fg-muted">
          {data && <span>{t("analytics.asOf")} <RelativeTime at={data.at} /></span>}
          <Button icon={RefreshCw} busy={isFetching} onClick={() => void refetch()}>{t("analytics.refresh")}</Button>
        </div>
      </div>
      <DataView
        state={stateOf(data?.metrics, error, isPending, reach)}
        quietLink
        onRetry={() => void refetch()}
        empty={{ title: t("analytics.empty"), detail: t("analytics.empty.detail") }}
        skeleton={<Skeletons count={2} itemClass="h-72" className="flex flex-col gap-5" />}
      >
        {data && <Findings key={`${range} ${by}`} metrics={data.metrics} by={by} onBy={(group) => put(range, group)} />}
      </DataView>
    </div>
  );
}

function stateOf(metrics: Metrics | undefined, error: ApiError | null, pending: boolean, reach: ViewState): ViewState {
  if (error?.status === 403) return { kind: "unavailable", why: "forbidden", needs: "traffic.read" };
  if (!metrics) {
    if (reach.kind === "offline") return reach;
    return pending ? { kind: "loading" } : { kind: "error", error: error ?? undefined };
  }
  if (error) return { kind: "partial", shown: metrics.series.length, error };
  const { messages_in, messages_out, denied, dropped } = metrics.totals;
  if (messages_in + messages_out + denied + dropped === 0 && metrics.gaps.length === 0) return { kind: "empty" };
  return reach;
}

function Findings({ metrics, by, onBy }: { metrics: Metrics; by: TalkerGroup; onBy: (by: TalkerGroup) => void }) {
  const t = useT(analytics);
  const nameOf = useTalkerName();
  const [chosen, setChosen] = useState<string>();
  const series = metrics.series.find((s) => s.key === chosen);
  const all = useMemo(() => bucketsOf(metrics, metrics.series), [metrics]);
  const own = useMemo(() => (series ? bucketsOf(metrics, [series]) : all), [metrics, series, all]);
  return (
    <div data-testid="analytics" className="flex flex-col gap-5">
      <Totals metrics={metrics} />
      <OverTime
        testId="volume"
        title={series ? t("analytics.volume.of", { name: nameOf(series.key, by) }) : t("analytics.volume")}
        metrics={metrics} buckets={own} first="messages_in" second="messages_out" tones={["accent", "ok"]}
      />
      <Talkers metrics={metrics} by={by} onBy={onBy} chosen={chosen} onChoose={setChosen} />
      <OverTime testId="trouble" title={t("analytics.trouble")} metrics={metrics} buckets={all} first="dropped" second="denied" tones={["warn", "bad"]} />
      <Gaps metrics={metrics} />
      <Exports metrics={metrics} by={by} />
    </div>
  );
}

const words = {
  messages_in: "analytics.in", messages_out: "analytics.out", dropped: "analytics.dropped", denied: "analytics.denied",
} as const satisfies Partial<Record<Counted, string>>;
type Shown = keyof typeof words;

function Totals({ metrics: { totals } }: { metrics: Metrics }) {
  const t = useT(analytics);
  const { number, bytes } = useFormats();
  const tiles: { label: string; value: string; warn?: boolean }[] = [
    { label: t("analytics.in"), value: number(totals.messages_in) },
    { label: t("analytics.out"), value: number(totals.messages_out) },
    { label: t("analytics.bytes"), value: bytes(totals.bytes_in + totals.bytes_out) },
    { label: t("analytics.dropped"), value: number(totals.dropped), warn: totals.dropped > 0 },
    { label: t("analytics.denied"), value: number(totals.denied), warn: totals.denied > 0 },
  ];
  return (
    <dl aria-label={t("analytics.totals")} className="grid grid-cols-2 gap-3 sm:grid-cols-3 sm:gap-4 lg:grid-cols-5">
      {tiles.map(({ label, value, warn }) => (
        <div key={label} className="rounded-card border border-line bg-ink-850 px-4 py-3">
          <dt className="flex items-center gap-1.5 text-xs text-fg-dim">{warn && <TriangleAlert aria-hidden className="size-4 text-warn" />}{label}</dt>
          <dd className={warn ? "mt-1 text-lg font-semibold text-warn tabular-nums" : "mt-1 text-lg font-semibold tabular-nums"}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

interface OverTimeProps {
  testId: string;
  title: string;
  metrics: Metrics;
  buckets: readonly Bucket[];
  first: Shown;
  second: Shown;
  tones: readonly [ChartLine["tone"], ChartLine["tone"]];
}

const lineClass: Record<ChartLine["tone"], string> = { accent: "border-accent", ok: "border-ok", warn: "border-warn", bad: "border-bad" };

/** Two counts over time, as a chart or as a table. */
function OverTime({ testId, title, metrics, buckets, first, second, tones }: OverTimeProps) {
  const t = useT(analytics);
  const { number, minute } = useFormats();
  const [table, setTable] = useState(false);
  const [at, setAt] = useState<number>();
  const data = useMemo(
    () => ({
      times: buckets.map((b) => b.at),
      known: buckets.map((b) => b.known),
      lines: [first, second].map((what, i): ChartLine => ({ tone: tones[i]!, values: buckets.map((b) => b.counts?.[what] ?? null) })),
    }),
    [buckets, first, second, tones],
  );
  const sum = (what: Shown) => buckets.reduce((n, b) => n + (b.counts?.[what] ?? 0), 0);
  const bucket = at === undefined ? undefined : buckets[at];
  const gaps = buckets.filter((b) => b.known < 1).length;
  const pair = (counts: Partial<Record<Shown, number>>) => `${t(words[first])} ${number(counts[first] ?? 0)} · ${t(words[second])} ${number(counts[second] ?? 0)}`;
  return (
    <Section
      testId={testId}
      title={title}
      note={t("analytics.bucket", { minutes: metrics.bucket_s / 60 })}
      actions={
        <div role="group" aria-label={t("analytics.view")} className="flex gap-2">
          <Chip pressed={!table} onPress={() => setTable(false)} label={t("analytics.view.chart")} icon={ChartIcon} />
          <Chip pressed={table} onPress={() => setTable(true)} label={t("analytics.view.table")} icon={Table2} />
        </div>
      }
    >
      {table ? (
        <BucketTable title={title} buckets={buckets} columns={[first, second]} />
      ) : (
        <div className="px-2 pt-3 pb-4 sm:px-4">
          <p aria-hidden className="flex min-h-6 flex-wrap gap-x-3 px-2 text-sm tabular-nums">
            <span className="text-fg-dim">{bucket ? minute(bucket.at * 1000) : t("analytics.total")}</span>
            <span className="font-medium">{bucket ? (bucket.counts ? pair(bucket.counts) : t("analytics.unknown")) : pair({ [first]: sum(first), [second]: sum(second) })}</span>
            {bucket && bucket.known < 1 && bucket.counts && <span className="text-warn">{t("analytics.partly", { percent: Math.round(bucket.known * 100) })}</span>}
          </p>
          <TimeChart
            {...data}
            width={metrics.bucket_s}
            testId={`${testId}-chart`}
            label={t("analytics.chart", { title, first: t(words[first]), a: number(sum(first)), second: t(words[second]), b: number(sum(second)), gaps })}
            onPoint={setAt}
          />
          <ul className="flex flex-wrap gap-x-5 gap-y-1 px-2 pt-2 text-xs text-fg-muted">
            <Key sample={<span aria-hidden className={`w-6 border-t-2 ${lineClass[tones[0]]}`} />}>{t(words[first])}</Key>
            <Key sample={<span aria-hidden className={`w-6 border-t-2 border-dashed ${lineClass[tones[1]]}`} />}>{t(words[second])}</Key>
            {gaps > 0 && <Key sample={<span aria-hidden className="traffic-gap h-3.5 w-6 rounded-sm border border-line" />}>{t("analytics.gaps")}</Key>}
          </ul>
        </div>
      )}
    </Section>
  );
}

function Key({ sample, children }: { sample: ReactNode; children: ReactNode }) {
  return <li className="flex items-center gap-2">{sample}{children}</li>;
}

/** The chart's numbers, newest first; what is not known says so. */
function BucketTable({ title, buckets, columns }: { title: string; buckets: readonly Bucket[]; columns: readonly Shown[] }) {
  const t = useT(analytics);
  const { number, minute } = useFormats();
  const head = "sticky top-0 bg-ink-850 px-4 py-2 font-normal";
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls is reached by the keyboard
    <div role="group" aria-label={title} tabIndex={0} className="max-h-96 overflow-auto">
      <table data-testid="buckets" className="w-full text-sm tabular-nums">
        <thead>
          <tr className="text-left text-xs text-fg-dim">
            <th scope="col" className={head}>{t("analytics.begins")}</th>
            {columns.map((c) => <th key={c} scope="col" className={`${head} text-right`}>{t(words[c])}</th>)}
          </tr>
        </thead>
        <tbody>
          {[...buckets].reverse().map(({ at, counts, known }) => (
            <tr key={at} className="border-t border-line/60">
              <th scope="row" className="px-4 py-2 text-left font-medium">
                {minute(at * 1000)}
                {counts && known < 1 && <span className="ml-2 text-xs font-normal text-warn">{t("analytics.partly", { percent: Math.round(known * 100) })}</span>}
              </th>
              {counts ? columns.map((c) => <td key={c} className="px-4 py-2 text-right">{number(counts[c])}</td>) : <td colSpan={columns.length} className="px-4 py-2 text-right text-idle">{t("analytics.unknown")}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Gaps({ metrics: { gaps } }: { metrics: Metrics }) {
  const t = useT(analytics);
  const { minute, number } = useFormats();
  if (gaps.length === 0) return null;
  return (
    <Section title={t("analytics.gaps")} testId="gaps">
      <ul className="divide-y divide-line/60 px-4">
        {gaps.map((g) => (
          <li key={g.from + g.reason} className="py-3 text-sm">
            {t("analytics.gap", { from: minute(Date.parse(g.from)), to: minute(Date.parse(g.to)), reason: g.reason })}
            {g.lost !== undefined && <span className="text-fg-muted"> · {t("analytics.lost", { n: number(g.lost) })}</span>}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Exports({ metrics: { from, to, bucket_s }, by }: { metrics: Metrics; by: TalkerGroup }) {
  const t = useT(analytics);
  const { api } = useHub();
  const query = { from, to, bucket: `${bucket_s}s`, group_by: by, top: 100 };
  const file = (format: string) => ({ href: api.url("/traffic/metrics", { ...query, format }), name: `traffic-${by}.${format}` });
  return (
    <div role="group" aria-label={t("analytics.export")} className="flex flex-wrap gap-3">
      <FileLink icon={Download} {...file("csv")}>{t("analytics.export.csv")}</FileLink>
      <FileLink icon={Download} {...file("json")}>{t("analytics.export.json")}</FileLink>
      <FileLink icon={Download} href={api.url("/traffic/history", { from, to, format: "ndjson" })} name="traffic.ndjson">{t("analytics.export.messages")}</FileLink>
    </div>
  );
}
