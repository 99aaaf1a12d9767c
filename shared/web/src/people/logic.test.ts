import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { en as auditEnglish } from "../audit/en";
import { en as webEnglish } from "../i18n/en";
import { agentOf, programOf } from "./agent";
import { en } from "./en";
import { expiresAt, expiryState } from "./expiry";
import { rebase } from "./merge";
import { allRights, groupRights } from "./rights";
import { pinFault, suggestPassword } from "./secrets";
import type { UserChange } from "./types";

const now = Date.parse("2026-03-01T12:00:00Z");

describe("two who change a person at the same time", () => {
  const base: UserChange = { name: "Ana", role: "manager", sites: ["yacht-1"], disabled: false };

  test("what only they changed is theirs, what only the form changed stays", () => {
    const { form, clashes } = rebase(base, { ...base, name: "Ana K" }, { ...base, sites: ["yacht-1", "yacht-2"] });
    expect(form).toEqual({ name: "Ana K", role: "manager", sites: ["yacht-1", "yacht-2"], disabled: false });
    expect(clashes).toEqual([{ field: "sites", theirs: ["yacht-1", "yacht-2"] }]);
  });

  test("where both chose, the form keeps its own and says so", () => {
    const { form, clashes } = rebase(base, { ...base, role: "viewer" }, { name: "Ana", role: "owner", disabled: false });
    expect(form.role).toBe("viewer");
    expect(form.sites).toBeUndefined();
    expect(clashes).toEqual([{ field: "role", theirs: "owner", mine: "viewer" }, { field: "sites", theirs: undefined }]);
  });

  test("a new version without another content is no clash; the order of sites means nothing", () => {
    const two = { ...base, sites: ["a", "b"] };
    expect(rebase(two, { ...two, name: "B" }, { ...two, sites: ["b", "a"] })).toEqual({ form: { ...two, sites: ["b", "a"], name: "B" }, clashes: [] });
    expect(rebase(base, { ...base, role: "viewer" }, { ...base, role: "viewer" }).clashes).toEqual([]);
  });
});

test.each([
  ["402917", undefined], ["112233", undefined], ["12345", "length"], ["12345a", "length"], ["1234567", "length"],
  ["111111", "easy"], ["123456", "easy"], ["654321", "easy"], ["789012", "easy"], ["210987", "easy"],
])("pinFault(%s) is %s, as the hub decides", (pin, fault) => expect(pinFault(pin)).toBe(fault));

test("a suggested password can be read aloud, and is another each time", () => {
  const some = Array.from({ length: 50 }, suggestPassword);
  for (const password of some) expect(password).toMatch(/^([a-hjkmnp-z2-9]{4}-){3}[a-hjkmnp-z2-9]{4}$/);
  expect(new Set(some).size).toBe(50);
});

describe("rights", () => {
  test("are in groups, in the order of people; unknown ones come last", () => {
    expect(groupRights(["users.write", "requests.read", "moon.walk", "requests.accept"])).toEqual([
      { group: "calls", rights: ["requests.read", "requests.accept"] },
      { group: "people", rights: ["users.write"] },
      { group: "other", rights: ["moon.walk"] },
    ]);
    expect(allRights([{ permissions: ["a", "b"] }, { permissions: ["b", "c"] }])).toEqual(["a", "b", "c"]);
  });

  test.each(["edge", "console"])("of the %s program have a sentence and a group each", (program) => {
    const document = readFileSync(resolve(import.meta.dirname, `../../../../${program}/web/openapi.json`), "utf8");
    const named = [...new Set([...document.matchAll(/"x-permission": ?"([^"]+)"/g)].map((m) => m[1]!))].filter((name) => name !== "public");
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((right) => !(`right.${right}` in en))).toEqual([]);
    expect(groupRights(named).filter(({ group }) => group === "other")).toEqual([]);
  });
});

test("no later catalogue says something else under a key of the first one", () => {
  const first = new Set(Object.keys(webEnglish));
  for (const later of [en, auditEnglish]) expect(Object.keys(later).filter((key) => first.has(key))).toEqual([]);
});

describe("when a token ends", () => {
  test("after so many days, on a day's end, or never", () => {
    expect(expiresAt("30", "", now)).toBe("2026-03-31T12:00:00.000Z");
    expect(expiresAt("never", "", now)).toBeUndefined();
    expect(new Date(expiresAt("date", "2026-03-02", now)!).getTime()).toBe(new Date("2026-03-03T00:00:00").getTime());
  });

  test("a missing day, and one that is over, are none", () => {
    expect(expiresAt("date", "", now)).toBeNull();
    expect(expiresAt("date", "2026-02-20", now)).toBeNull();
  });

  test("two weeks before it is time for another", () => {
    const inDays = (n: number) => new Date(now + n * 86_400_000).toISOString();
    expect([null, inDays(-1), inDays(13), inDays(15)].map((at) => expiryState(at, now))).toEqual(["never", "expired", "soon", "later"]);
  });
});

test.each([
  ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", "Chrome", "Linux"],
  ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge", "Windows"],
  ["Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1", "Safari", "iPad"],
  ["Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", "Firefox", "Android"],
])("%s is known", (text, browser, system) => expect(agentOf(text)).toEqual({ browser, system }));

test("what is no browser is called by its own word, if it has one", () => {
  expect(agentOf("curl/8.5.0")).toBeUndefined();
  expect(programOf("curl/8.5.0")).toBe("curl");
  expect(programOf(undefined)).toBeUndefined();
});
