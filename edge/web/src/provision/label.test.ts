import { describe, expect, test } from "vitest";
import { keyHashOf, parseLabel, roomIdOf } from "./label";

const hash = "ab".repeat(32);

describe("labels", () => {
  test("are read as they are printed", () => {
    expect(parseLabel(JSON.stringify({ hardware_id: "OB-4711", key_hash: hash.toUpperCase(), v: 1 }))).toEqual({ hardwareId: "OB-4711", keyHash: hash });
    expect(keyHashOf("abab ".repeat(16))).toBe(hash);
    expect(keyHashOf("ab:".repeat(31) + "ab")).toBe(hash);
  });

  test("that are something else are none", () => {
    for (const text of ["", "https://example.test", "[]", "null", '{"hardware_id":"a"}', `{"hardware_id":"a b","key_hash":"${hash}"}`, '{"hardware_id":"a","key_hash":"12"}']) {
      expect(parseLabel(text), text).toBeUndefined();
    }
  });
});

test("a room's id is made of its name", () => {
  expect(roomIdOf("Owner’s Suite 2")).toBe("owner-s-suite-2");
  expect(roomIdOf("Pont supérieur")).toBe("pont-superieur");
  expect(roomIdOf("  –  ")).toBe("");
});
