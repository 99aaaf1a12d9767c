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

test("a quiet room rings nobody, and an offer rings whom it is made to", () => {
  const quiet = aRequest({ request_id: "q", notified: { watches: 0, reached: 0, told: [], unreachable: [], quiet: true } });
  const offered = aRequest({
    request_id: "o", state: "accepted",
    offer: { person_id: "ante", by: { kind: "user", id: "u-mila" }, at: at(0), expires_at: at(60) },
  });
  expect(ringingCalls([quiet, offered], new Set(), "mila")).toEqual({ urgency: undefined, count: 0 });
  expect(ringingCalls([quiet, offered], new Set(), "ante").count).toBe(1);
  expect(ringingCalls([quiet, offered], new Set(["o"]), "ante").count).toBe(1);
});
