import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FakeStream } from "../testing";
import { Batcher } from "./batch";
import { Live } from "./live";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  const streams: FakeStream[] = [];
  const sent: Headers[] = [];
  const answers: (() => Response | Promise<Response>)[] = [];
  const fetch = vi.fn(async (_: unknown, init?: RequestInit) => {
    sent.push(new Headers(init?.headers));
    const answer = answers.shift();
    if (answer) return answer();
    const stream = new FakeStream();
    streams.push(stream);
    return stream.response;
  });
  const reload = vi.fn();
  const seen: unknown[] = [];
  const out = vi.fn();
  const live = new Live({
    url: "/events",
    batcher: new Batcher(),
    fetch: fetch as unknown as typeof globalThis.fetch,
    reload,
    onUnauthenticated: out,
    handlers: { item: (data: unknown) => void seen.push(data) },
  });
  const tick = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
  return { live, streams, sent, answers, reload, seen, out, tick };
}

describe("Live", () => {
  test("reads the lists once at the first connection, after the stream is open", async () => {
    const { live, reload, tick } = setUp();
    const stop = live.start();
    expect(reload).not.toHaveBeenCalled();
    await tick();
    expect(reload).toHaveBeenCalledTimes(1);
    expect(live.connection.get().state).toBe("open");
    stop();
  });

  test("does not read again for an event, nor for a resync that its first reading covers", async () => {
    const { live, streams, reload, seen, tick } = setUp();
    const stop = live.start();
    await tick();
    streams[0]!.event("resync", {}, "a-1");
    streams[0]!.event("item", { n: 1 }, "a-2");
    await tick(100);
    expect(reload).toHaveBeenCalledTimes(1);
    expect(seen).toEqual([{ n: 1 }]);
    stop();
  });

  test("reads everything again on a later resync", async () => {
    const { live, streams, reload, tick } = setUp();
    const stop = live.start();
    await tick();
    streams[0]!.event("item", {}, "a-1");
    streams[0]!.event("resync", { reason: "lagged" }, "a-9");
    await tick(200);
    expect(reload).toHaveBeenCalledTimes(2);
    stop();
  });

  test("applies events in order", async () => {
    const { live, streams, seen, tick } = setUp();
    const stop = live.start();
    await tick();
    for (let n = 0; n < 50; n++) streams[0]!.event("item", n, `a-${n}`);
    await tick(200);
    expect(seen).toEqual(Array.from({ length: 50 }, (_, n) => n));
    stop();
  });

  test("resumes with the last event id and does not read the lists again", async () => {
    const { live, streams, sent, reload, seen, tick } = setUp();
    const stop = live.start();
    await tick();
    streams[0]!.event("item", 1, "a-41");
    await tick();
    streams[0]!.cut();
    await tick(20_000);
    expect(sent[1]!.get("Last-Event-ID")).toBe("a-41");
    streams[1]!.event("item", 2, "a-42");
    await tick(200);
    expect(reload).toHaveBeenCalledTimes(1);
    expect(seen).toEqual([1, 2]);
    stop();
  });

  test("reads again when the resumed stream begins with resync", async () => {
    const { live, streams, reload, tick } = setUp();
    const stop = live.start();
    await tick();
    streams[0]!.event("item", 1, "a-1");
    await tick();
    streams[0]!.cut();
    await tick(20_000);
    streams[1]!.event("resync", { reason: "restarted" }, "b-0");
    await tick(200);
    expect(reload).toHaveBeenCalledTimes(2);
    stop();
  });

  test("keeps the last event id over an answer that is no stream", async () => {
    const { live, streams, sent, answers, tick } = setUp();
    const stop = live.start();
    await tick();
    streams[0]!.event("item", 1, "a-3");
    await tick();
    answers.push(() => new Response("bad gateway", { status: 502 }));
    streams[0]!.cut();
    await tick(60_000);
    expect(sent.length).toBeGreaterThan(2);
    expect(sent.at(-1)!.get("Last-Event-ID")).toBe("a-3");
    stop();
  });

  test("gives up a line without a sign of life, and keeps one that comments", async () => {
    const { live, streams, tick } = setUp();
    const stop = live.start();
    await tick();
    for (let i = 0; i < 5; i++) {
      await tick(15_000);
      streams[0]!.write(": still here\n\n");
    }
    await tick();
    expect(streams.length).toBe(1);
    await tick(60_000);
    expect(streams.length).toBeGreaterThan(1);
    stop();
  });

  test("stops at a 401 and says so", async () => {
    const { live, answers, out, sent, tick } = setUp();
    answers.push(() => new Response("{}", { status: 401 }));
    live.start();
    await tick(60_000);
    expect(out).toHaveBeenCalledTimes(1);
    expect(sent.length).toBe(1);
  });

  test("survives an event that is not JSON, and reads the lists once for it", async () => {
    const { live, streams, reload, seen, tick } = setUp();
    const stop = live.start();
    await tick();
    streams[0]!.write("event: item\ndata: {oops\nid: a-1\n\nevent: item\ndata: {oops\nid: a-2\n\n");
    streams[0]!.event("item", 7, "a-3");
    await tick(200);
    expect(seen).toEqual([7]);
    expect(reload).toHaveBeenCalledTimes(2);
    stop();
  });
});
