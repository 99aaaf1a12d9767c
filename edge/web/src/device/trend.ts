import type { components } from "../api/schema";
import { bucketsOf, type Metrics } from "../traffic/buckets";

type Field = components["schemas"]["TrafficField"];

/** What was measured in one bucket of time. */
export interface Measure {
  /** Seconds. */
  at: number;
  /** How much of the time was recorded, from 0 to 1. */
  known: number;
  /** Absent when nothing was measured. */
  value: { last: number; min: number; max: number } | undefined;
}

/** Every bucket of the time asked for, with what was measured of one field. */
export function measuresOf(metrics: Metrics, name: string): Measure[] {
  const points = new Map((metrics.fields.find((f) => f.name === name)?.points ?? []).map((p) => [Math.floor(Date.parse(p.at) / 1000), p]));
  return bucketsOf(metrics, metrics.series).map(({ at, known }) => {
    const p = points.get(at);
    return { at, known, value: p && { last: p.last, min: p.min, max: p.max } };
  });
}

/** The fields in the order in which people ask for them; a counter of seconds is no trend. */
export function fieldNames(fields: readonly Field[]): string[] {
  const first = ["battery", "signal_strength"];
  const rank = (name: string) => (first.includes(name) ? first.indexOf(name) : first.length);
  return fields
    .filter((f) => f.points.length > 0 && f.name !== "uptime_s")
    .map((f) => f.name)
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

/** Where a chart of the values begins and ends. Battery and signal have scales of their own, so that a small change looks small. */
export function rangeOf(name: string, measures: readonly Measure[]): [number, number] {
  const [least, most] = extremes(measures);
  if (name === "battery") return [0, 100];
  if (name === "signal_strength" && least >= -100 && most <= -20) return [-100, -20];
  const room = Math.max((most - least) * 0.1, Math.abs(most) * 0.01, 0.5);
  return [least - room, most + room];
}

/** The least and the most that was measured; 0 and 0 when nothing was. */
export function extremes(measures: readonly Measure[]): [number, number] {
  let [least, most] = [Infinity, -Infinity];
  for (const { value } of measures) {
    if (!value) continue;
    least = Math.min(least, value.min);
    most = Math.max(most, value.max);
  }
  return least > most ? [0, 0] : [least, most];
}
