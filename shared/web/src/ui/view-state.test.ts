import { describe, expect, test } from "vitest";
import { ApiError } from "../api/problem";
import type { CollectionStatus } from "../live/collection";
import { reachOf, viewStateOf, type ViewInput } from "./view-state";

const status = (phase: CollectionStatus["phase"], error?: ApiError): CollectionStatus => ({ phase, error, loadedAt: undefined });
const input = (over: Partial<ViewInput>): ViewInput => ({ status: status("ready"), total: 3, shown: 3, reach: { kind: "live" }, ...over });
const failure = new ApiError({ status: 500, title: "failed" });

describe("viewStateOf", () => {
  test.each<[string, Partial<ViewInput>, string]>([
    ["before the first answer", { status: status("loading"), total: 0, shown: 0 }, "loading"],
    ["nothing there", { total: 0, shown: 0 }, "empty"],
    ["the filter hides all", { shown: 0 }, "filtered-empty"],
    ["all well", {}, "live"],
    ["reading again with rows", { status: status("loading") }, "live"],
    ["line lost just now", { reach: { kind: "stale", asOf: 1 } }, "stale"],
    ["data with an age of its own", { dataStale: true, dataAsOf: 5 }, "stale"],
    ["line lost for long", { reach: { kind: "offline", since: 1 } }, "offline"],
    ["line lost before anything came", { status: status("failed"), total: 0, shown: 0, reach: { kind: "offline", since: 1 } }, "offline"],
    ["a page failed", { status: status("partial", failure) }, "partial"],
    ["all failed", { status: status("failed", failure), total: 0, shown: 0 }, "error"],
    ["not allowed", { status: status("failed", new ApiError({ status: 403, title: "Not allowed" })), total: 0, shown: 0 }, "unavailable"],
    ["too old", { status: status("failed", new ApiError({ status: 501, title: "x" })), total: 0, shown: 0 }, "unavailable"],
  ])("%s", (_, over, kind) => expect(viewStateOf(input(over)).kind).toBe(kind));
});

describe("reachOf", () => {
  const at = { since: 1000, heardAt: 1000, failures: 0 };
  test("the first connecting shows nothing old, so it is no warning", () => {
    expect(reachOf({ state: "connecting", since: 0, heardAt: undefined, failures: 0 }, 60_000).kind).toBe("live");
  });
  test("a lost line is stale first and offline after ten seconds", () => {
    expect(reachOf({ ...at, state: "waiting", failures: 1 }, 5000)).toEqual({ kind: "stale", asOf: 1000 });
    expect(reachOf({ ...at, state: "connecting", failures: 3 }, 12_000)).toEqual({ kind: "offline", since: 1000 });
  });
  test("a program that never answered is offline after the second try", () => {
    expect(reachOf({ state: "waiting", since: 0, heardAt: undefined, failures: 2 }, 1500).kind).toBe("offline");
  });
});
