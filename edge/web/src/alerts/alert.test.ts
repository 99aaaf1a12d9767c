import { expect, test } from "vitest";
import type { NotificationRule } from "../api/resources";
import { anAlert } from "../testing";
import { compareAlerts, countAlerts, isQuiet, ruleWants, soundFor, timeOfDay } from "./alert";

const rule = (over: Partial<NotificationRule> = {}): NotificationRule => ({
  name: "bridge", on: ["alert"], signed: false, version: 1, etag: '"1"', updated_at: "2026-03-01T12:00:00Z", ...over,
});

test("what nobody has seen comes before what somebody has, whatever its severity", () => {
  const seen = anAlert({ alert_id: "seen", severity: "critical", state: "acknowledged" });
  const fresh = anAlert({ alert_id: "fresh", severity: "warning" });
  const worse = anAlert({ alert_id: "worse", severity: "critical" });
  expect([seen, fresh, worse].sort(compareAlerts).map((a) => a.alert_id)).toEqual(["worse", "fresh", "seen"]);
});

test("the bell counts what wants somebody", () => {
  const alerts = [anAlert(), anAlert({ state: "rectified", severity: "critical" }), anAlert({ state: "silenced" }), anAlert({ state: "acknowledged" })];
  expect(countAlerts(alerts)).toEqual({ n: 2, critical: 1, worst: "critical" });
  expect(countAlerts([])).toEqual({ n: 0, critical: 0, worst: undefined });
});

test("a rule wants alerts of its kinds, from warnings on when it says nothing else", () => {
  expect(ruleWants(rule(), anAlert({ severity: "warning" }))).toBe(true);
  expect(ruleWants(rule(), anAlert({ severity: "info" }))).toBe(false);
  expect(ruleWants(rule({ min_severity: "info" }), anAlert({ severity: "info" }))).toBe(true);
  expect(ruleWants(rule({ kinds: ["disk_low"] }), anAlert({ kind: "battery_low" }))).toBe(false);
  expect(ruleWants(rule({ disabled: true }), anAlert())).toBe(false);
  expect(ruleWants(rule({ on: ["emergency"] }), anAlert())).toBe(false);
});

test("quiet hours go over midnight, and what is critical is heard in them", () => {
  const night = { from: "22:00", to: "07:00" };
  expect(["21:59", "22:00", "00:00", "06:59", "07:00"].map((t) => isQuiet(night, t, "warning"))).toEqual([false, true, true, true, false]);
  expect(isQuiet(night, "23:00", "critical")).toBe(false);
  expect(isQuiet({ ...night, critical: true }, "23:00", "critical")).toBe(true);
  expect(["12:59", "13:00", "14:59", "15:00"].map((t) => isQuiet({ from: "13:00", to: "15:00" }, t, "info"))).toEqual([false, true, true, false]);
});

test("the loudest rule that is not quiet decides the sound", () => {
  const rules = [rule({ sound: "chime" }), rule({ sound: "alarm", quiet: { from: "22:00", to: "07:00" } }), rule({ sound: "none" })];
  expect(soundFor(rules, anAlert(), "12:00")).toBe("alarm");
  expect(soundFor(rules, anAlert(), "23:00")).toBe("chime");
  expect(soundFor([rule()], anAlert(), "12:00")).toBeUndefined();
});

test("the time of the day is the site's, with midnight as 00", () => {
  expect(timeOfDay(Date.parse("2026-03-01T23:05:00Z"), "Europe/Zagreb")).toBe("00:05");
});
