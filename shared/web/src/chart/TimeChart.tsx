import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useFormats } from "../i18n/context";
import { useTheme } from "../theme/theme";

const height = 240;
/** Up to so many points each has a mark, so that a single bucket between two gaps can be seen. */
const marked = 50;

/** One line. The second and later ones are dashed, so that colour alone tells none apart. */
export interface ChartLine {
  tone: "accent" | "ok" | "warn" | "bad";
  /** One for each bucket; null where nothing is known. */
  values: readonly (number | null)[];
}

export interface TimeChartProps {
  /** Where each bucket begins, in seconds. */
  times: readonly number[];
  /** Seconds of one bucket. */
  width: number;
  lines: readonly ChartLine[];
  /** How much of each bucket is known, from 0 to 1. */
  known: readonly number[];
  label: string;
  testId?: string;
  /** Where the scale begins and ends; from 0 if absent, as counts do. Must be memoised. */
  range?: readonly [number, number] | undefined;
  /** Lines go on over buckets in which nothing was measured. */
  connect?: boolean;
  /** IANA name of the zone that the axis is in; the site's if absent. */
  zone?: string;
  /** Called with the place of the bucket under the pointer, or undefined; another function draws anew. */
  onPoint: (index: number | undefined) => void;
}

/**
 * Counts over time. A bucket that is not known is a hole in the lines and a
 * shaded band, never a zero. The table beside it is for those who cannot see it.
 */
export function TimeChart(props: TimeChartProps) {
  // It takes the theme's colours when it is made.
  return <Drawn key={useTheme()} {...props} />;
}

function Drawn({ times, width, lines, known, label, testId, range, connect = false, zone, onPoint }: TimeChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const { locale, zone: siteZone } = useFormats();
  const shownZone = zone ?? siteZone;
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const options = optionsOf(element, { times, width, lines, known, range, connect, onPoint, locale, zone: shownZone });
    const chart = new uPlot(options, [[...times], ...lines.map((l) => [...l.values])], element);
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      onPoint(undefined); // its place means nothing in what is drawn next
    };
  }, [times, width, lines, known, range, connect, onPoint, locale, shownZone]);
  return <div ref={host} role="img" aria-label={label} data-testid={testId} className="min-w-0 overflow-hidden" style={{ height }} />;
}

type Drawing = Pick<TimeChartProps, "times" | "width" | "lines" | "known" | "range" | "connect" | "onPoint"> & { locale: string; zone: string | undefined };

function optionsOf(element: HTMLElement, { times, width, lines, known, range, connect, onPoint, locale, zone }: Drawing): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--color-${name}`).trim();
  const font = `12px ${style.fontFamily}`;
  const axis = { stroke: colour("fg-dim"), font, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  const points = { show: times.length <= marked || (connect && lines.every((l) => l.values.filter((v) => v !== null).length <= marked)), size: 6 };
  const compact = new Intl.NumberFormat(locale, { notation: "compact" });
  const named = timesOf(width, locale, zone);
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    ...(zone ? { tzDate: (ts: number) => uPlot.tzDate(new Date(ts * 1000), zone) } : {}),
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
    scales: { x: { time: true, range: (_, from, to) => [from - width / 2, to + width / 2] }, y: { range: (_, __, most) => (range ? [range[0], range[1]] : [0, Math.max(most * 1.08, 1)]) } },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 56, values: (_, all) => all.map((s) => named(s * 1000)) },
      { ...axis, size: 52, values: (_, all) => all.map((n) => (range || Number.isInteger(n) ? compact.format(n) : "")) },
    ],
    series: [
      {},
      ...lines.map(({ tone }, i): uPlot.Series => ({
        stroke: colour(tone), width: 2, spanGaps: connect,
        ...(i === 0
          ? { ...(range ? {} : { fill: `${colour(tone)}22` }), points: { ...points, fill: colour(tone) } }
          : { dash: [6, 4], points: { ...points, fill: colour("ink-850"), stroke: colour(tone), width: 2 } }),
      })),
    ],
    hooks: {
      drawClear: [(u) => shade(u, times, known, width, colour("idle-soft"), colour("edge"))],
      setCursor: [(u) => onPoint(u.cursor.idx ?? undefined)],
    },
  };
}

/** The hour of the day, and the date where a day begins; the date only for days. */
function timesOf(width: number, locale: string, zone: string | undefined): (at: number) => string {
  const inZone = zone ? { timeZone: zone } : {};
  const date = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", ...inZone });
  const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...inZone });
  if (width >= 24 * 3600) return (at) => date.format(at);
  return (at) => {
    const hour = clock.format(at);
    return hour === "00:00" ? date.format(at) : hour;
  };
}

/**
 * Shades what is not known: a band with slanted lines, so that it is not told
 * by its colour alone. One that is known in part is shaded the more, the more
 * of it is missing: its line is lower than what passed.
 */
function shade(u: uPlot, times: readonly number[], known: readonly number[], width: number, fill: string, line: string): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const [i, at] of times.entries()) {
    const missing = 1 - (known[i] ?? 1);
    if (missing <= 0) continue;
    const left = u.valToPos(at - width / 2, "x", true);
    const right = u.valToPos(at + width / 2, "x", true);
    ctx.globalAlpha = missing;
    ctx.fillStyle = fill;
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, right - left, bbox.height);
    ctx.clip();
    ctx.strokeStyle = line;
    ctx.globalAlpha = 0.2 + 0.15 * missing;
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    const step = 10 * devicePixelRatio;
    // The lines of neighbours meet: they begin at the same places of the plot.
    for (let x = bbox.left - bbox.height; x < bbox.left + bbox.width; x += step) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }
  ctx.restore();
}
