import { describe, expect, test } from "vitest";
import { faultOf, linesOfSettings, linesOfTexts, objectIn, settingsOf, textsOf } from "./lines";

describe("lines", () => {
  test("settings come back as they were, whatever they are", () => {
    const settings = { n: 5, text: "quiet hours", digits: "5", yes: true, word: "true", none: null, list: [1, "a"], deep: { a: 1 }, empty: "", blanks: " x " };
    expect(settingsOf(linesOfSettings(settings))).toEqual(settings);
  });

  test("what a person types is JSON where it is some, else text", () => {
    const lines = [{ name: "a", value: "60" }, { name: "b", value: " night " }, { name: "c", value: '"60"' }, { name: "d", value: "[1" }, { name: "", value: "" }];
    expect(settingsOf(lines)).toEqual({ a: 60, b: "night", c: "60", d: "[1" });
  });

  test("texts stay texts", () => {
    expect(textsOf(linesOfTexts({ serial: "007", floor: "2" }))).toEqual({ serial: "007", floor: "2" });
  });

  test("a name that is there twice or not at all is named", () => {
    expect(faultOf([{ name: "a", value: "1" }, { name: "a", value: "2" }])).toEqual({ kind: "twice", name: "a" });
    expect(faultOf([{ name: "", value: "2" }])).toEqual({ kind: "noName" });
    expect(faultOf([{ name: "", value: "" }, { name: "a", value: "" }])).toBeUndefined();
  });

  test("only an object is settings", () => {
    expect(objectIn('{"a":1}')).toEqual({ a: 1 });
    for (const text of ["[1]", "null", "5", "{", ""]) expect(objectIn(text)).toBeUndefined();
  });
});
