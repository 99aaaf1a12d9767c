import { ApiError, Chip, DataView, Notice, RelativeTime, Section, Skeletons, useClock, useFormats, type ViewState } from "@obedio/web";
import { CalendarOff, ChartLine, Download, History, Table2 } from "lucide-react";
import { useCallback, useEffect, useState, type ReactNode } from "react";
import type { SiteTraffic, TrafficBucket } from "../api/resources";
import { useReach, useT } from "../context";
import type { SiteData, TrafficQuery } from "../site-data";
import { BucketTime } from "./BucketTime";
import { TrafficChart } from "./TrafficChart";
import { TrafficTable } from "./TrafficTable";
import { TopTalkers, type TalkerGroup } from "./TopTalkers";

const hour = 3_600_000;
const ranges = {
  day: { span: 24 * hour, bucket: "hour" },
  week: { span: 7 * 24 * hour, bucket: "hour" },
  month: { span: 30 * 24 * hour, bucket: "day" },
} as const;
type Range = keyof typeof ranges;
const rangeNames = Object.keys(ranges) as Range[];

/** When a link is back, hours come by the hundred: at most once in so many milliseconds they are read again. */
const readAgain = 2000;

interface Read {
  traffic: SiteTraffic | undefined;
  /** What traffic is of. */
  range?: Range;
  error: ApiError | undefined;
  /** The question that this answers. */
  answers: string;
}

const heldBy = (data: SiteData) => data.sync.get()?.lanes.find((l) => l.name === "summaries")?.durable;

/** How many hours the console holds of a site, looked up now and then. */
function useHeld(data: SiteData): number | undefined {
  const [held, setHeld] = useState(() => heldBy(data));
  useEffect(() => {
    const look = setInterval(() => setHeld(heldBy(data)), readAgain);
    return () => clearInterval(look);
  }, [data]);
  return held;
}

/** Reads the traffic of a site, and again when the console holds another number of hours. */
function useTraffic(data: SiteData, range: Range, group: TalkerGroup) {
  const clock = useClock();
  const [read, setRead] = useState<Read>({ traffic: undefined, error: undefined, answers: "" });
  const [tries, setTries] = useState(0);
  const held = useHeld(data);
  const question = [data.siteId, range, group, held, tries].join(" ");
  const query = useCallback((): TrafficQuery => {
    const { span, bucket } = ranges[range];
    return { from: new Date(Math.floor(clock.now() / hour) * hour - span).toISOString(), bucket, group };
  }, [clock, range, group]);
  useEffect(() => {
    const leave = new AbortController();
    data.traffic(query(), leave.signal).then(
      (traffic) => setRead({ traffic, range, error: undefined, answers: question }),
      (cause: unknown) => {
        if (leave.signal.aborted) return;
        const error = cause instanceof ApiError ? cause : undefined;
        // What was read before stays, but not under the name of another time.
        setRead((last) => ({ ...(last.range === range ? last : { traffic: undefined }), error, answers: question }));
      },
    );
    return () => leave.abort();
  }, [data, query, question, range]);
  return { ...read, loading: read.answers !== question, query, again: () => setTries((n) => n + 1) };
}

/** What passed the broker of the site's hub, as far as its summaries have come. */
export function TrafficTab({ data }: { data: SiteData }) {
  const t = useT();
  const reach = useReach();
  const [range, setRange] = useState<Range>("day");
  const [group, setGroup] = useState<TalkerGroup>("device");
  const { traffic, error, loading, query, again } = useTraffic(data, range, group);
  return (
    <div className="flex flex-col gap-5">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        {traffic && <HoursStamp traffic={traffic} />}
        <div role="group" aria-label={t("traffic.range")} className="flex flex-wrap gap-2 sm:ml-auto">
          {rangeNames.map((name) => (
            <Chip key={name} pressed={range === name} onPress={() => setRange(name)} label={t(`traffic.range.${name}`)} />
          ))}
        </div>
      </div>
      <DataView
        state={stateOf(traffic, error, loading, reach)}
        quietLink
        onRetry={again}
        empty={{ title: t("traffic.empty"), detail: t("traffic.empty.detail") }}
        skeleton={<Skeletons count={2} itemClass="h-72" className="flex flex-col gap-5" />}
      >
        {traffic && (
          <div className="flex flex-col gap-5" data-testid="traffic" aria-busy={loading}>
            <OverTime traffic={traffic} csv={data.trafficURL(query())} />
            {traffic.held > 0 && <TopTalkers siteId={data.siteId} traffic={traffic} group={group} onGroup={setGroup} />}
          </div>
        )}
      </DataView>
    </div>
  );
}

function stateOf(traffic: SiteTraffic | undefined, error: ApiError | undefined, loading: boolean, reach: ViewState): ViewState {
  if (error?.status === 403) return { kind: "unavailable", why: "forbidden", needs: "sites.read" };
  if (!traffic) {
    if (reach.kind === "offline") return reach;
    return loading ? { kind: "loading" } : { kind: "error", error };
  }
  if (error) return { kind: "partial", shown: traffic.held, error };
  if (traffic.as_of === undefined && traffic.held === 0) return { kind: "empty" };
  return reach;
}

/** Up to when the hub has told: older than the rest of the site, as hours come when they are over. */
function HoursStamp({ traffic }: { traffic: SiteTraffic }) {
  const t = useT();
  if (traffic.as_of === undefined) return null;
  return (
    <p data-testid="traffic-stamp" className="flex items-start gap-2 text-sm text-fg-muted">
      <History aria-hidden className="mt-0.5 size-4 shrink-0" />
      <span>
        {t("traffic.stamp")} <RelativeTime at={traffic.as_of} />
        {traffic.received_at && <> · {t("traffic.stamp.received")} <RelativeTime at={traffic.received_at} /></>}
      </span>
    </p>
  );
}

function OverTime({ traffic, csv }: { traffic: SiteTraffic; csv: string }) {
  const t = useT();
  const { number } = useFormats();
  const [table, setTable] = useState(false);
  const [at, setAt] = useState<number>();
  const { totals, buckets, gaps } = traffic;
  const sums = { messagesIn: number(totals.messages_in), messagesOut: number(totals.messages_out) };
  return (
    <Section
      testId="traffic-time"
      title={t(`traffic.title.${traffic.bucket}`)}
      note={t("traffic.held", { held: number(traffic.held), hours: number(traffic.hours) })}
      actions={
        <>
          <div role="group" aria-label={t("traffic.view")} className="flex gap-2">
            <Chip pressed={!table} onPress={() => setTable(false)} label={t("traffic.view.chart")} icon={ChartLine} />
            <Chip pressed={table} onPress={() => setTable(true)} label={t("traffic.view.table")} icon={Table2} />
          </div>
          <a href={csv} download className="inline-flex min-h-control items-center gap-2 rounded-control px-2 text-sm whitespace-nowrap text-accent-fg hover:underline">
            <Download aria-hidden className="size-4" />
            {t("traffic.csv")}
          </a>
        </>
      }
    >
      {traffic.held === 0 ? (
        <Notice testId="traffic-none" icon={CalendarOff} title={t("traffic.none")} detail={t("traffic.none.detail")} />
      ) : table ? (
        <TrafficTable traffic={traffic} />
      ) : (
        <div className="px-2 pt-3 pb-4 sm:px-4">
          <Readout bucket={at === undefined ? undefined : buckets[at]} total={traffic} />
          <TrafficChart
            buckets={buckets}
            width={traffic.bucket === "day" ? 24 * 3600 : 3600}
            label={t("traffic.chart", { ...sums, gaps: number(gaps.length) })}
            onPoint={setAt}
          />
          <Legend gaps={gaps.length > 0} partly={traffic.bucket === "day"} />
        </div>
      )}
    </Section>
  );
}

/** The bucket under the pointer, or all of them: one line that is always there. */
function Readout({ bucket, total }: { bucket: TrafficBucket | undefined; total: SiteTraffic }) {
  const t = useT();
  const { number } = useFormats();
  const counts = bucket ? bucket.counts : total.totals;
  return (
    <p aria-hidden className="flex min-h-6 flex-wrap gap-x-3 px-2 text-sm tabular-nums">
      <span className="text-fg-dim">{bucket ? <BucketTime at={bucket.at} day={total.bucket === "day"} /> : t("traffic.total")}</span>
      <span className="font-medium">
        {counts ? t("traffic.point", { messagesIn: number(counts.messages_in), messagesOut: number(counts.messages_out) }) : t("traffic.gap")}
      </span>
      {bucket && bucket.held > 0 && bucket.held < bucket.hours && <span className="text-warn">{t("traffic.partly", { held: bucket.held, hours: bucket.hours })}</span>}
    </p>
  );
}

function Legend({ gaps, partly }: { gaps: boolean; partly: boolean }) {
  const t = useT();
  const key = (sample: ReactNode, label: string) => <li className="flex items-center gap-2">{sample}{label}</li>;
  return (
    <>
      <ul className="flex flex-wrap gap-x-5 gap-y-1 px-2 pt-2 text-xs text-fg-muted">
        {key(<span aria-hidden className="w-6 border-t-2 border-accent" />, t("traffic.in"))}
        {key(<span aria-hidden className="w-6 border-t-2 border-dashed border-ok" />, t("traffic.out"))}
        {gaps && key(<span aria-hidden className="traffic-gap h-3.5 w-6 rounded-sm border border-line" />, t(partly ? "traffic.gap.partly" : "traffic.gap"))}
      </ul>
      {gaps && <p className="px-2 pt-2 text-xs text-fg-dim">{t("traffic.gap.detail")}</p>}
    </>
  );
}
