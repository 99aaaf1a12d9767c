import { expect, test } from "vitest";
import type { Metrics } from "../traffic/buckets";
import { zero } from "../traffic/buckets";
import { fieldNames, measuresOf, rangeOf } from "./trend";

const point = (at: string, last: number, min = last, max = last) => ({ at, count: 1, last, min, max });
const metrics: Metrics = {
  from: "2026-03-01T12:00:00Z", to: "2026-03-01T13:00:00Z", bucket_s: 900, totals: { ...zero(), actions: {} }, series: [],
  fields: [
    { name: "temperature_c", points: [point("2026-03-01T12:15:00Z", 21.5, 21, 22)] },
    { name: "uptime_s", points: [point("2026-03-01T12:00:00Z", 60)] },
    { name: "signal_strength", points: [point("2026-03-01T12:00:00Z", -60)] },
    { name: "battery", points: [point("2026-03-01T12:00:00Z", 80), point("2026-03-01T12:45:00Z", 78, 78, 79)] },
  ],
  gaps: [{ from: "2026-03-01T12:30:00Z", to: "2026-03-01T12:45:00Z", reason: "off" }],
};

test("battery and signal come first; what only counts up is no trend", () => {
  expect(fieldNames(metrics.fields)).toEqual(["battery", "signal_strength", "temperature_c"]);
});

test("each bucket says what was measured, that nothing was, or that nothing was recorded", () => {
  expect(measuresOf(metrics, "battery").map((m) => [m.value?.last, m.known])).toEqual([[80, 1], [undefined, 1], [undefined, 0], [78, 1]]);
});

test("battery and signal have scales of their own, others one around what was measured", () => {
  expect(rangeOf("battery", measuresOf(metrics, "battery"))).toEqual([0, 100]);
  expect(rangeOf("signal_strength", measuresOf(metrics, "signal_strength"))).toEqual([-100, -20]);
  const [least, most] = rangeOf("temperature_c", measuresOf(metrics, "temperature_c"));
  expect(least).toBeLessThan(21);
  expect(most).toBeGreaterThan(22);
});
