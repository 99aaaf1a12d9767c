import type { TimelineEntry } from "../api/resources";
import { csv } from "../export/csv";

/** Somebody, or a watch, and what they knew at a moment. */
export interface Knowing {
  key: string;
  name: string;
  device: string | undefined;
  state: "sent" | "told" | "unreachable" | "declined";
  why: string | undefined;
}

/** A name for each entry that stays the same while entries are added. */
export function keysOf(entries: readonly TimelineEntry[]): string[] {
  const seen = new Map<string, number>();
  return entries.map((e) => {
    const name = [e.event, e.at, e.device_id, e.person_id, e.press?.sequence_id].join(" ");
    const n = seen.get(name) ?? 0;
    seen.set(name, n + 1);
    return n === 0 ? name : `${name} ${n}`;
  });
}

/** How many entries had happened `at` so many milliseconds after the opening. */
export function upTo(entries: readonly TimelineEntry[], at: number): number {
  const i = entries.findIndex((e) => e.after_ms > at);
  return i < 0 ? entries.length : i;
}

/** Who knew of the call, or could not be told, after the first n entries; in the order in which they came. */
export function knowingAfter(entries: readonly TimelineEntry[], n: number): Knowing[] {
  const all = new Map<string, Knowing>();
  for (const e of entries.slice(0, n)) {
    if (e.event === "declined") {
      const who = e.person_id ?? e.by?.person_id;
      for (const k of all.values()) {
        if (k.key === who || (e.by?.kind === "device" && k.device === e.by.id)) k.state = "declined";
      }
      continue;
    }
    if (e.event !== "sent" && e.event !== "told" && e.event !== "unreachable") continue;
    const key = e.person_id ?? e.device_id;
    if (!key) continue;
    all.set(key, { key, name: e.name || e.device_id || key, device: e.device_id, state: e.event, why: e.why });
  }
  return [...all.values()];
}

/** The state that the call was in after the first n entries. */
export function stateAfter(entries: readonly TimelineEntry[], n: number): "open" | "accepted" | "completed" | "cancelled" | "missed" | undefined {
  let state: ReturnType<typeof stateAfter>;
  for (const { event } of entries.slice(0, n)) {
    if (event === "opened") state = "open";
    else if (event === "accepted" || event === "handed_over") state = "accepted";
    else if (event === "completed" || event === "cancelled" || event === "missed") state = event;
  }
  return state;
}

/** From where to where the slider goes, in milliseconds after the opening. */
export function spanOfEntries(entries: readonly TimelineEntry[]): { from: number; to: number } {
  const times = entries.map((e) => e.after_ms);
  const from = Math.min(0, ...times);
  return { from, to: Math.max(from + 1, ...times) };
}

const header = ["at", "after_ms", "event", "by", "device_id", "person_id", "name", "level", "to", "why", "stage", "press_type", "sequence_id", "note"];

/** The timeline as CSV. */
export function csvOf(entries: readonly TimelineEntry[]): string {
  const rows = entries.map((e) => [
    e.at, e.after_ms, e.event, e.by?.name || e.by?.id, e.device_id, e.person_id, e.name, e.level, e.to, e.why, e.stage, e.press?.press_type,
    e.press?.sequence_id, e.note,
  ]);
  return csv([header, ...rows]);
}
