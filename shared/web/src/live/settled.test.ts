import { describe, expect, test } from "vitest";
import { mergeOrder } from "./settled";

describe("mergeOrder", () => {
  test("shows the live order when nothing is held", () => {
    expect(mergeOrder(["b", "a"], undefined, false)).toEqual({ ids: ["b", "a"], waiting: 0 });
  });

  test("keeps places under the pointer, counts what is new, and lets go what has gone", () => {
    expect(mergeOrder(["x", "c", "a", "y"], ["a", "b", "c"], false)).toEqual({ ids: ["a", "c"], waiting: 2 });
  });

  test("never hides a new call: it goes to the end", () => {
    expect(mergeOrder(["x", "a"], ["a"], true)).toEqual({ ids: ["a", "x"], waiting: 0 });
  });
});
