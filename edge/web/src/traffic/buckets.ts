import type { components } from "../api/schema";

export type Metrics = components["schemas"]["TrafficMetrics"];
export type Series = components["schemas"]["TrafficSeries"];
export type Gap = components["schemas"]["Gap"];

/** What is counted and shown. */
export type Counted = "messages_in" | "messages_out" | "bytes_in" | "bytes_out" | "dropped" | "denied" | "reconnects";
export type Counts = Record<Counted, number>;

const counted: readonly Counted[] = ["messages_in", "messages_out", "bytes_in", "bytes_out", "dropped", "denied", "reconnects"];

export interface Bucket {
  /** Seconds. */
  at: number;
  /** How much of it is known, from 0 to 1. */
  known: number;
  /** Absent when nothing of it is known. */
  counts: Counts | undefined;
}

/**
 * Every bucket of the time asked for. The hub tells those in which something
 * was counted; the others are zero, or unknown where the record has a gap.
 */
export function bucketsOf({ from, to, bucket_s, gaps }: Metrics, series: readonly Series[]): Bucket[] {
  const sums = new Map<number, Counts>();
  for (const { points } of series) {
    for (const point of points) {
      const at = Math.floor(Date.parse(point.at) / 1000);
      const sum = sums.get(at) ?? zero();
      for (const what of counted) sum[what] += point[what];
      sums.set(at, sum);
    }
  }
  const [begin, end] = [Date.parse(from) / 1000, Date.parse(to) / 1000];
  const buckets: Bucket[] = [];
  for (let at = Math.floor(begin / bucket_s) * bucket_s; at < end; at += bucket_s) {
    const [first, last] = [Math.max(at, begin), Math.min(at + bucket_s, end)];
    const known = 1 - missing(gaps, first, last) / Math.max(1, last - first);
    const counts = sums.get(at);
    buckets.push({ at, known, counts: counts ?? (known < 0.01 ? undefined : zero()) });
  }
  return buckets;
}

/** Seconds of a time that lie in gaps; gaps may overlap. */
function missing(gaps: readonly Gap[], first: number, last: number): number {
  let sum = 0;
  let reached = first;
  const spans = gaps.map((g) => [Date.parse(g.from) / 1000, Date.parse(g.to) / 1000] as const).sort((a, b) => a[0] - b[0]);
  for (const [from, to] of spans) {
    const begin = Math.max(from, reached);
    const end = Math.min(to, last);
    if (end <= begin) continue;
    sum += end - begin;
    reached = end;
  }
  return sum;
}

export function zero(): Counts {
  return { messages_in: 0, messages_out: 0, bytes_in: 0, bytes_out: 0, dropped: 0, denied: 0, reconnects: 0 };
}
