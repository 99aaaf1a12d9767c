import { Chip, ErrorNote, Notice, Section, Select, Skeletons, useClock, useFormats, type ApiError } from "@obedio/web";
import { TimeChart } from "@obedio/web/chart";
import { useQuery } from "@tanstack/react-query";
import { ChartLine as ChartIcon, ChartNoAxesColumn, Table2 } from "lucide-react";
import { useMemo, useState } from "react";
import type { Device } from "../api/resources";
import { useHub, useT } from "../context";
import { device as texts } from "../messages/device";
import type { Metrics } from "../traffic/buckets";
import { extremes, fieldNames, measuresOf, rangeOf, type Measure } from "./trend";

const hour = 3_600_000;
const ranges = {
  day: { span: 24 * hour, bucket: "15m" },
  week: { span: 7 * 24 * hour, bucket: "2h" },
  month: { span: 30 * 24 * hour, bucket: "6h" },
} as const;
type Range = keyof typeof ranges;
const rangeNames = Object.keys(ranges) as Range[];
/** Milliseconds between two readings while the page is open. */
const readEvery = 60_000;

/** What the device measured over time: its battery, its signal, and whatever else it tells. */
export function Trend({ device }: { device: Device }) {
  const t = useT(texts);
  const hub = useHub();
  const clock = useClock();
  const [range, setRange] = useState<Range>("day");
  const [table, setTable] = useState(false);
  const [chosen, setChosen] = useState<string>();
  const query = useQuery<Metrics, ApiError>({
    queryKey: ["trend", device.device_id, range],
    queryFn: ({ signal }) => {
      const at = clock.now();
      const { span, bucket } = ranges[range];
      return hub.api.get<Metrics>("/traffic/metrics", { query: { device: device.device_id, from: new Date(at - span).toISOString(), to: new Date(at).toISOString(), bucket }, signal });
    },
    refetchInterval: readEvery,
  });
  const names = useMemo(() => fieldNames(query.data?.fields ?? []), [query.data]);
  const name = chosen !== undefined && names.includes(chosen) ? chosen : names[0];
  return (
    <Section
      title={t("device.trend")}
      testId="trend"
      actions={
        <div role="group" aria-label={t("device.trend.view")} className="flex gap-2">
          <Chip pressed={!table} onPress={() => setTable(false)} label={t("device.trend.asChart")} icon={ChartIcon} />
          <Chip pressed={table} onPress={() => setTable(true)} label={t("device.trend.asTable")} icon={Table2} />
        </div>
      }
    >
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 pt-3">
        {names.length > 1 && name && (
          <Select aria-label={t("device.trend.field")} value={name} onChange={(e) => setChosen(e.target.value)} options={names.map((n) => ({ value: n, label: t("device.trend.fieldName", { name: n }) }))} />
        )}
        <div role="group" aria-label={t("device.trend.range")} className="flex gap-2">
          {rangeNames.map((r) => <Chip key={r} pressed={range === r} onPress={() => setRange(r)} label={t(`device.trend.${r}`)} />)}
        </div>
      </div>
      {query.data && name ? (
        <Measured metrics={query.data} name={name} table={table} />
      ) : query.data ? (
        <Notice testId="trend-empty" icon={ChartNoAxesColumn} title={t("device.trend.empty")} detail={t("device.trend.empty.detail")} />
      ) : query.isError ? (
        <ErrorNote error={query.error} onRetry={() => void query.refetch()} />
      ) : (
        <Skeletons count={1} itemClass="h-60" className="p-4" />
      )}
    </Section>
  );
}

function Measured({ metrics, name, table }: { metrics: Metrics; name: string; table: boolean }) {
  const t = useT(texts);
  const { number, minute } = useFormats();
  const [at, setAt] = useState<number>();
  const measures = useMemo(() => measuresOf(metrics, name), [metrics, name]);
  const data = useMemo(
    () => ({
      times: measures.map((m) => m.at),
      known: measures.map((m) => m.known),
      lines: [{ tone: "accent" as const, values: measures.map((m) => m.value?.last ?? null) }],
      range: rangeOf(name, measures),
    }),
    [measures, name],
  );
  const title = t("device.trend.fieldName", { name });
  const say = useValue(name);
  const point = at === undefined ? measures.findLast((m) => m.value) : measures[at];
  const [least, most] = extremes(measures);
  if (table) return <MeasureTable title={title} measures={measures} say={say} />;
  return (
    <div className="px-2 pt-3 pb-4 sm:px-4">
      <p aria-hidden className="flex min-h-6 flex-wrap gap-x-3 px-2 text-sm tabular-nums">
        {point && <span className="text-fg-dim">{minute(point.at * 1000)}</span>}
        <span className="font-medium">{point?.value ? say(point.value.last) : t("device.trend.nothing")}</span>
        {point?.value && point.value.min !== point.value.max && <span className="text-fg-muted">{t("device.trend.between", { least: say(point.value.min), most: say(point.value.max) })}</span>}
      </p>
      <TimeChart
        {...data}
        connect
        width={metrics.bucket_s}
        testId="trend-chart"
        label={t("device.trend.chart", { name: title, last: number(measures.findLast((m) => m.value)?.value?.last ?? 0), least: number(least), most: number(most) })}
        onPoint={setAt}
      />
    </div>
  );
}

/** A value with its unit, where the hub's names tell one. */
function useValue(name: string): (value: number) => string {
  const { number } = useFormats();
  const unit = name === "battery" ? "%" : name === "signal_strength" ? " dBm" : name.endsWith("_c") ? " °C" : name.endsWith("_pct") ? " %" : name.endsWith("_ppm") ? " ppm" : "";
  return (value) => `${number(Math.round(value * 100) / 100)}${unit}`;
}

/** The chart's numbers, newest first. */
function MeasureTable({ title, measures, say }: { title: string; measures: readonly Measure[]; say: (value: number) => string }) {
  const t = useT(texts);
  const { minute } = useFormats();
  const head = "sticky top-0 bg-ink-850 px-4 py-2 font-normal";
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls is reached by the keyboard
    <div role="group" aria-label={title} tabIndex={0} className="mt-2 max-h-80 overflow-auto">
      <table data-testid="measures" className="w-full text-sm tabular-nums">
        <thead>
          <tr className="text-left text-xs text-fg-dim">
            <th scope="col" className={head}>{t("device.trend.begins")}</th>
            {(["last", "least", "most"] as const).map((c) => <th key={c} scope="col" className={`${head} text-right`}>{t(`device.trend.${c}`)}</th>)}
          </tr>
        </thead>
        <tbody>
          {measures.filter((m) => m.value || m.known < 0.01).reverse().map(({ at, value }) => (
            <tr key={at} className="border-t border-line/60">
              <th scope="row" className="px-4 py-2 text-left font-medium">{minute(at * 1000)}</th>
              {value
                ? [value.last, value.min, value.max].map((v, i) => <td key={["last", "min", "max"][i]} className="px-4 py-2 text-right">{say(v)}</td>)
                : <td colSpan={3} className="px-4 py-2 text-right text-idle">{t("device.trend.gap")}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
