import { describe, expect, test } from "vitest";
import type { TimelineEntry } from "../api/resources";
import { at } from "../testing";
import { csvOf, knowingAfter, spanOfEntries, stateAfter, upTo } from "./replay";

const entry = (second: number, event: TimelineEntry["event"], over: Partial<TimelineEntry> = {}): TimelineEntry => ({ at: at(second), after_ms: second * 1000, event, ...over });

const entries = [
  entry(0, "press", { device_id: "btn-1" }),
  entry(0, "opened"),
  entry(1, "unreachable", { person_id: "noah", name: "Noah", why: "wears no watch" }),
  entry(1, "sent", { device_id: "watch-1", person_id: "mila", name: "Mila" }),
  entry(2, "told", { device_id: "watch-1", person_id: "mila", name: "Mila" }),
  entry(40, "declined", { by: { kind: "device", id: "watch-1", person_id: "mila" } }),
  entry(60, "escalated", { level: 1, to: "backup", why: "declined" }),
  entry(70, "accepted", { by: { kind: "user", id: "u", name: "Luca" } }),
];

describe("a replay", () => {
  test("knows how much had happened at a time", () => {
    expect(upTo(entries, -1)).toBe(0);
    expect(upTo(entries, 0)).toBe(2);
    expect(upTo(entries, 1999)).toBe(4);
    expect(upTo(entries, 99_000)).toBe(entries.length);
    expect(spanOfEntries(entries)).toEqual({ from: 0, to: 70_000 });
  });

  test("says who knew, who could not be told and why, and who declined", () => {
    expect(knowingAfter(entries, 2)).toEqual([]);
    expect(knowingAfter(entries, 4).map((k) => [k.name, k.state, k.why])).toEqual([["Noah", "unreachable", "wears no watch"], ["Mila", "sent", undefined]]);
    expect(knowingAfter(entries, 8).map((k) => k.state)).toEqual(["unreachable", "declined"]);
  });

  test("says the state of the call at each moment", () => {
    expect([1, 2, 7, 8].map((n) => stateAfter(entries, n))).toEqual([undefined, "open", "open", "accepted"]);
  });

  test("is exported so that a spreadsheet reads it and calculates nothing", () => {
    const rows = csvOf([entry(1, "completed", { note: '=1+1, "done"' })]).split("\r\n");
    expect(rows[0]).toContain("at,after_ms,event");
    expect(rows[1]).toBe(`${at(1)},1000,completed,,,,,,,,,,,"'=1+1, ""done"""`);
  });
});
