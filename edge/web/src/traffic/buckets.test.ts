import { expect, test } from "vitest";
import { bucketsOf, zero, type Metrics, type Series } from "./buckets";

const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 12, minute)).toISOString();
const point = (minute: number, n: number) => ({ at: at(minute), ...zero(), messages_in: n, actions: {} });
const series = (key: string, ...points: ReturnType<typeof point>[]): Series => ({ key, totals: { ...zero(), actions: {} }, points });
const metrics = (over: Partial<Metrics> = {}): Metrics => ({
  from: at(0), to: at(45), bucket_s: 900, totals: { ...zero(), actions: {} }, series: [], fields: [], gaps: [], ...over,
});

test("each bucket is there, summed over the series; what had nothing is zero", () => {
  const buckets = bucketsOf(metrics(), [series("a", point(0, 3), point(30, 1)), series("b", point(0, 4))]);
  expect(buckets.map((b) => b.counts?.messages_in)).toEqual([7, 0, 1]);
  expect(buckets.map((b) => b.known)).toEqual([1, 1, 1]);
});

test("a gap is not zero but unknown, and one that is known in part says how much", () => {
  const gaps = [{ from: at(15), to: at(30), reason: "off" }, { from: at(36), to: at(45), reason: "off" }, { from: at(40), to: at(45), reason: "failed" }];
  const buckets = bucketsOf(metrics({ gaps }), [series("a", point(0, 3), point(30, 2))]);
  expect(buckets.map((b) => b.counts?.messages_in)).toEqual([3, undefined, 2]);
  expect(buckets.map((b) => Math.round(b.known * 10) / 10)).toEqual([1, 0, 0.4]);
});
