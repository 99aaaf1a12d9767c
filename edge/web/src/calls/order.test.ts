import { expect, test } from "vitest";
import { aRequest, at } from "../testing";
import { compareCalls } from "./order";
import { ringingCalls } from "./RingContext";

test("calls stand by priority, then by age; what is taken comes last", () => {
  const calls = [
    aRequest({ request_id: "taken", state: "accepted", priority: "emergency", opened_at: at(0) }),
    aRequest({ request_id: "young", opened_at: at(50) }),
    aRequest({ request_id: "old", opened_at: at(10) }),
    aRequest({ request_id: "urgent", priority: "urgent", opened_at: at(55) }),
    aRequest({ request_id: "emergency", priority: "emergency", opened_at: at(58) }),
  ];
  expect(calls.sort(compareCalls).map((r) => r.request_id)).toEqual(["emergency", "urgent", "old", "young", "taken"]);
});

test("what rings is open and not silenced here, and the most urgent sets the sound", () => {
  const calls = [
    aRequest({ request_id: "a" }),
    aRequest({ request_id: "b", priority: "urgent" }),
    aRequest({ request_id: "c", priority: "emergency", state: "accepted" }),
  ];
  expect(ringingCalls(calls, new Set())).toEqual({ urgency: "urgent", count: 2 });
  expect(ringingCalls(calls, new Set(["b"]))).toEqual({ urgency: "normal", count: 1 });
  expect(ringingCalls(calls, new Set(["a", "b"]))).toEqual({ urgency: undefined, count: 0 });
});
