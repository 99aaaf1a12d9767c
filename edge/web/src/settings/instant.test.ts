import { expect, test } from "vitest";
import { instantOf } from "./instant";

test("a time that is not typed whole is none", () => {
  expect(instantOf("")).toBeUndefined();
  expect(instantOf("2026-03-01T12:00")).toBe(new Date("2026-03-01T12:00").toISOString());
});
