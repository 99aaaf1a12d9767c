import { expect, test } from "vitest";
import { actionWords, didEnglish, didGerman } from "./words";

test("actions read as words, those without a sentence of their own too", () => {
  expect(actionWords("provision.claimed")).toBe("A device has joined");
  expect(actionWords("mqtt.something_new")).toBe("Mqtt something new");
});

test("every action that has words has them in both languages", () => {
  expect(Object.keys(didGerman)).toEqual(Object.keys(didEnglish));
});
