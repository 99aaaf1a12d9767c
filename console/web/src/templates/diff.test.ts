import { describe, expect, test } from "vitest";
import { canonical, changesOf, linesOf } from "./diff";

describe("changesOf", () => {
  const doc = (kind: string, name: string, body: unknown) => ({ kind, name, body });
  test("names what was added, removed and changed, and no mere order of keys", () => {
    const before = [doc("service", "tea", { a: 1, b: [1, 2] }), doc("service", "rum", 1), doc("acl", "x", 1)];
    const after = [doc("service", "tea", { b: [1, 2], a: 1 }), doc("acl", "x", 2), doc("acl", "y", 1)];
    expect(changesOf(before, after)).toEqual([
      { name: "acl/x", kind: "changed" }, { name: "acl/y", kind: "added" }, { name: "service/rum", kind: "removed" },
    ]);
  });
});

test("the order of a list is not that of keys", () => {
  expect(canonical({ b: { d: 1, c: 2 }, a: [2, 1] })).toBe('{"a":[2,1],"b":{"c":2,"d":1}}');
});

describe("linesOf", () => {
  const text = (a: string, b: string) => linesOf(a, b).map((l) => `${{ same: " ", added: "+", removed: "-" }[l.kind]}${l.text}`);
  test("keeps what is the same", () => expect(text("a\nb\nc", "a\nx\nc")).toEqual([" a", "-b", "+x", " c"]));
  test("of nothing all is new", () => expect(text("", "a\nb")).toEqual(["+a", "+b"]));
  test("to nothing all is gone", () => expect(text("a", "")).toEqual(["-a"]));
});
