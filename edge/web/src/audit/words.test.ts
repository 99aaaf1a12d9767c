import { expect, test } from "vitest";
import { actionWords, detailRows, instantOf } from "./words";

test("actions read as words", () => {
  expect(actionWords("provision.claimed")).toBe("Provision claimed");
  expect(actionWords("mqtt.credentials_refused")).toBe("Mqtt credentials refused");
});

test("details are in order, without what is empty", () => {
  expect(detailRows({ type: "button", room: "", device_id: "btn-1" })).toEqual([["device_id", "btn-1"], ["type", "button"]]);
  expect(detailRows(undefined)).toEqual([]);
});

test("a time that is not typed whole is none", () => {
  expect(instantOf("")).toBeUndefined();
  expect(instantOf("2026-03-01T12:00")).toBe(new Date("2026-03-01T12:00").toISOString());
});
