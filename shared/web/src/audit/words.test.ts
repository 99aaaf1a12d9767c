import { expect, test } from "vitest";
import { actionWords } from "./words";

test("actions read as words, those without a sentence of their own too", () => {
  expect(actionWords("provision.claimed")).toBe("A device has joined");
  expect(actionWords("mqtt.something_new")).toBe("Mqtt something new");
});
