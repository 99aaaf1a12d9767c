import { useFormats } from "@obedio/web";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { TrafficBucket } from "../api/resources";

const height = 240;
/** Up to so many points each has a mark, so that a single hour between two gaps can be seen. */
const marked = 50;

interface Props {
  buckets: readonly TrafficBucket[];
  /** Seconds of one bucket. */
  width: number;
  label: string;
  /** Called with the place of the bucket under the pointer, or undefined; another function draws anew. */
  onPoint: (index: number | undefined) => void;
}

/**
 * Messages over time, in and out. A bucket that is not known is a hole in both
 * lines and a shaded band, never a zero. The table beside it is for those who
 * cannot see it. It takes the theme's colours when it is made: key it by theme.
 */
export function TrafficChart({ buckets, width, label, onPoint }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const { locale } = useFormats();
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const chart = new uPlot(optionsOf(element, { buckets, width, onPoint, locale }), dataOf(buckets), element);
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      onPoint(undefined); // its place means nothing in what is drawn next
    };
  }, [buckets, width, onPoint, locale]);
  return <div ref={host} role="img" aria-label={label} data-testid="traffic-chart" className="min-w-0" style={{ height }} />;
}

export function dataOf(buckets: readonly TrafficBucket[]): uPlot.AlignedData {
  return [
    buckets.map((b) => Date.parse(b.at) / 1000),
    buckets.map((b) => b.counts?.messages_in ?? null),
    buckets.map((b) => b.counts?.messages_out ?? null),
  ];
}

function optionsOf(element: HTMLElement, { buckets, width, onPoint, locale }: Omit<Props, "label"> & { locale: string }): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--color-${name}`).trim();
  const font = `12px ${style.fontFamily}`;
  const axis = { stroke: colour("fg-dim"), font, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  const points = { show: buckets.length <= marked, size: 6 };
  const compact = new Intl.NumberFormat(locale, { notation: "compact" });
  const times = width > 3600 ? days : clock;
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
    scales: { x: { time: true, range: (_, from, to) => [from - width / 2, to + width / 2] }, y: { range: (_, __, most) => [0, Math.max(most * 1.08, 1)] } },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 56, values: (_, all) => all.map((s) => times(new Date(s * 1000), locale)) },
      { ...axis, size: 52, values: (_, all) => all.map((n) => (Number.isInteger(n) ? compact.format(n) : "")) },
    ],
    series: [
      {},
      { stroke: colour("accent"), width: 2, fill: `${colour("accent")}22`, spanGaps: false, points: { ...points, fill: colour("accent") } },
      { stroke: colour("ok"), width: 2, dash: [6, 4], spanGaps: false, points: { ...points, fill: colour("ink-850"), stroke: colour("ok"), width: 2 } },
    ],
    hooks: {
      drawClear: [(u) => shade(u, buckets, width, colour("idle-soft"), colour("edge"))],
      setCursor: [(u) => onPoint(u.cursor.idx ?? undefined)],
    },
  };
}

const dates: Intl.DateTimeFormatOptions = { day: "numeric", month: "short" };

/** The hour of the day, and the date where a day begins. */
function clock(at: Date, locale: string): string {
  const midnight = at.getHours() === 0 && at.getMinutes() === 0;
  return at.toLocaleString(locale, midnight ? dates : { hour: "2-digit", minute: "2-digit" });
}

function days(at: Date, locale: string): string {
  return at.toLocaleString(locale, { ...dates, timeZone: "UTC" });
}

/**
 * Shades what is not known: a band with slanted lines, so that it is not told
 * by its colour alone. One that is known in part is shaded the more, the more
 * of it is missing: its line is lower than what passed.
 */
function shade(u: uPlot, buckets: readonly TrafficBucket[], width: number, fill: string, line: string): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const b of buckets) {
    const missing = b.hours > 0 ? 1 - b.held / b.hours : 0;
    if (missing <= 0) continue;
    const at = Date.parse(b.at) / 1000;
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
