import "fake-indexeddb/auto";
import { ApiClient, Batcher } from "@obedio/web";
import { jsonResponse } from "@obedio/web/testing";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { DrainReport } from "./drain";
import { drain } from "./drain";
import { ActionQueue } from "./queue";
import { DatabaseStore } from "./store";

interface Sent {
  path: string;
  key: string | null;
}

let sent: Sent[];
let reports: DrainReport[];
let answer: (sent: Sent) => Response | Promise<Response>;
let store: DatabaseStore;
let names = 0;
let user: string | undefined;

const api = new ApiClient({
  base: "",
  fetch: async (url, init) => {
    const s = { path: String(url), key: new Headers(init?.headers).get("Idempotency-Key") };
    sent.push(s);
    return answer(s);
  },
});
const unreachable = () => Promise.reject(new TypeError("network"));
const problem = (status: number, more: object = {}) => jsonResponse({ title: "It has changed", status, ...more }, { status, type: "application/problem+json" });
const accept = (id: string) => ({ kind: "accept" as const, path: `/requests/${id}/accept`, body: { version: 1 }, target: id, label: "Cabin 101" });
const locate = { kind: "command" as const, path: "/devices/w-1/command", body: { name: "locate" }, target: "w-1", label: "Watch 1", name: "locate" };

function aQueue(): ActionQueue {
  return new ActionQueue({ store, api, batcher: new Batcher(), userId: () => user, onDrained: (r) => reports.push(r) });
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  sent = [];
  reports = [];
  answer = () => jsonResponse({ ok: true });
  store = new DatabaseStore(`test-${++names}`);
  user = "u-mila";
});
afterEach(() => void vi.useRealTimers());

test("what was queued is sent once the hub is back, each with its own key, and then forgotten", async () => {
  const queue = aQueue();
  answer = unreachable;
  await queue.add(accept("r-1"));
  await queue.add(accept("r-2"), "tried-before");
  await queue.drain();
  expect(queue.actions.get().map((a) => a.state)).toEqual(["waiting", "waiting"]);
  // The first told that nobody is there; the second was not tried.
  expect(sent).toHaveLength(1);
  answer = () => jsonResponse({ ok: true });
  sent = [];
  await queue.drain();
  expect(sent.map((s) => s.path)).toEqual(["/requests/r-1/accept", "/requests/r-2/accept"]);
  expect(sent[1]!.key).toBe("tried-before");
  expect(new Set(sent.map((s) => s.key)).size).toBe(2);
  expect(queue.actions.get()).toEqual([]);
  await queue.drain();
  expect(sent).toHaveLength(2);
});

test("a lost answer is asked for again under the same key", async () => {
  const queue = aQueue();
  answer = unreachable;
  await queue.add(accept("r-1"));
  await queue.drain();
  answer = () => jsonResponse({ ok: true });
  await queue.drain();
  expect(sent).toHaveLength(2);
  expect(sent[0]!.key).toBe(sent[1]!.key);
});

test("what is revoked is not sent", async () => {
  const queue = aQueue();
  await queue.add(accept("r-1"));
  await queue.add(accept("r-2"));
  expect(await queue.revoke(queue.actions.get()[0]!.key)).toBe(true);
  await queue.drain();
  expect(sent.map((s) => s.path)).toEqual(["/requests/r-2/accept"]);
});

test("a page, another page and the worker at the same time send an action once", async () => {
  const queue = aQueue();
  await queue.add(accept("r-1"));
  let release = () => {};
  answer = () => new Promise<Response>((resolve) => void (release = () => resolve(jsonResponse({ ok: true }))));
  const first = queue.drain();
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  const other = await drain(new DatabaseStore(`test-${names}`), api, "u-mila");
  expect(other).toMatchObject({ sent: [], again: true });
  expect(await queue.revoke(queue.actions.get()[0]!.key)).toBe(false);
  release();
  await first;
  expect(sent).toHaveLength(1);
  expect(await store.all()).toEqual([]);
});

test("a lease that nobody gave back ends, and the action is sent under its key", async () => {
  const queue = aQueue();
  await queue.add({ ...accept("r-1"), sendingUntil: Date.now() + 30_000 }, "k");
  await queue.drain();
  expect(sent).toEqual([]);
  vi.setSystemTime(Date.now() + 30_001);
  await queue.drain();
  expect(sent).toEqual([{ path: "/requests/r-1/accept", key: "k" }]);
});

test("a device command is sent for 30 s, and asks again after that", async () => {
  const queue = aQueue();
  answer = unreachable;
  await queue.add(locate);
  await queue.drain();
  vi.setSystemTime(Date.now() + 30_001);
  answer = () => jsonResponse({ ok: true });
  sent = [];
  await queue.drain();
  expect(sent).toEqual([]);
  expect(queue.actions.get()).toMatchObject([{ state: "asking" }]);
  expect(reports.at(-1)!.asking).toHaveLength(1);
  await queue.drain();
  expect(sent).toEqual([]);
  await queue.renew(queue.actions.get()[0]!.key);
  expect(sent).toHaveLength(1);
  expect(queue.actions.get()).toEqual([]);
});

test("a command asks again when the clock went back: its age cannot be told", async () => {
  const queue = aQueue();
  await queue.add(locate);
  vi.setSystemTime(Date.now() - 3_600_000);
  await queue.drain();
  expect(sent).toEqual([]);
  expect(queue.actions.get()).toMatchObject([{ state: "asking" }]);
});

test("a call that somebody else took says who, and the others are sent all the same", async () => {
  const queue = aQueue();
  answer = ({ path }) => (path.includes("r-1") ? problem(409, { request: { state: "accepted", accepted_by: { name: "Luca" } } }) : jsonResponse({ ok: true }));
  await queue.add(accept("r-1"));
  await queue.add(accept("r-2"));
  await queue.drain();
  expect(queue.actions.get()).toMatchObject([{ target: "r-1", state: "refused", refusal: { takenBy: "Luca" } }]);
  expect(reports.at(-1)).toMatchObject({ refused: [{ target: "r-1" }], sent: [{ action: { target: "r-2" } }] });
  await queue.revoke(queue.actions.get()[0]!.key);
  expect(queue.actions.get()).toEqual([]);
});

test.each([
  ["the hub is busy with the same action", () => problem(409, { type: "https://obedio.dev/problems/busy" })],
  ["the hub cannot at the moment", () => problem(503)],
  ["the session has ended", () => problem(401)],
])("it waits on when %s", async (_, say) => {
  const queue = aQueue();
  answer = say;
  await queue.add(accept("r-1"));
  await queue.drain();
  expect(queue.actions.get()).toMatchObject([{ state: "waiting" }]);
  answer = () => jsonResponse({ ok: true });
  await queue.drain();
  expect(queue.actions.get()).toEqual([]);
});

test("another person at the same tablet neither sees nor sends it", async () => {
  const queue = aQueue();
  await queue.add(accept("r-1"));
  user = "u-luca";
  await queue.drain();
  expect(sent).toEqual([]);
  expect(queue.actions.get()).toEqual([]);
  user = "u-mila";
  await queue.drain();
  expect(sent).toHaveLength(1);
});
