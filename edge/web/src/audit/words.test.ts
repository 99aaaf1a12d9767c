import { translator } from "@obedio/web";
import { expect, test } from "vitest";
import { audit } from "../messages/audit";
import { auditAreas, detailRows, instantOf } from "./words";

test("actions read as words, those without a sentence of their own too", () => {
  const t = translator<typeof audit>(audit);
  expect(t("audit.did", { action: "provision.claimed" })).toBe("A device has joined");
  expect(t("audit.did", { action: "mqtt.something_new" })).toBe("Mqtt something new");
  for (const area of auditAreas) expect(t("audit.area", { area }), area).not.toContain(".");
});

test("details are in order, without what is empty", () => {
  expect(detailRows({ type: "button", room: "", device_id: "btn-1" })).toEqual([["device_id", "btn-1"], ["type", "button"]]);
  expect(detailRows(undefined)).toEqual([]);
});

test("a time that is not typed whole is none", () => {
  expect(instantOf("")).toBeUndefined();
  expect(instantOf("2026-03-01T12:00")).toBe(new Date("2026-03-01T12:00").toISOString());
});
