import { compileFilter } from "@obedio/web";
import { describe, expect, test } from "vitest";
import { ago, aNewSite, aSite, now } from "../testing";
import { backlogOf, compareSites, isOld, siteFilter } from "./sites";

const collator = new Intl.Collator("en", { numeric: true });

describe("isOld", () => {
  test("fresh data over a link that is up is not old", () => expect(isOld(aSite(), now)).toBe(false));
  test("online with data of yesterday is old: link state and data age are two things", () =>
    expect(isOld(aSite({ data_as_of: ago(1440) }), now)).toBe(true));
  test("fresh data of a hub that has gone is old", () => expect(isOld(aSite({ link_state: "offline" }), now)).toBe(true));
  test("what was never known is old", () => expect(isOld(aNewSite(), now)).toBe(true));
});

test("a backlog that the hub has not told is unknown, not zero", () => {
  expect(backlogOf(undefined)).toBeUndefined();
  expect(backlogOf({ requests: 1, commands: 2, state: 3, registry: 4 })).toBe(10);
  expect([aNewSite()].filter(compileFilter(siteFilter, "backlog:<1").matches)).toEqual([]);
});

test("sites stand by attention, then by name", () => {
  const sites = [aSite({ site_id: "c", name: "C" }), aSite({ site_id: "a10", name: "A 10" }), aSite({ site_id: "a2", name: "A 2" }), aSite({ site_id: "b", name: "B", attention: 50 })];
  expect(sites.sort(compareSites("attention", collator)).map((s) => s.site_id)).toEqual(["b", "a2", "a10", "c"]);
});
