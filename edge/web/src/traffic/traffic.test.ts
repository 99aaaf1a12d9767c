import { Batcher } from "@obedio/web";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { differences } from "./diff";
import { LiveTraffic, keepRows } from "./live";
import type { Content, TrafficMessage } from "./message";
import { hexOf, jsonOf, previewOf, textOf } from "./payload";
import { TopicTree, branches } from "./tree";

const at = "2026-03-01T12:00:00Z";
const text = (payload: string): Content => ({ at, payload });
const bytes = (...all: number[]): Content => ({ at, payload: btoa(String.fromCharCode(...all)), payload_encoding: "base64" });
const message = (over: Partial<TrafficMessage> = {}): TrafficMessage => ({
  at, direction: "inbound", device_id: "btn-1", topic: "obedio/yacht-1/cabin-1/button/btn-1/status", qos: 1, retain: false, size: 2, payload: "{}", ...over,
});

describe("a payload", () => {
  test("is read as JSON, text or hex, whichever it is", () => {
    expect(jsonOf(text('{"battery":75}'))).toBe('{\n  "battery": 75\n}');
    expect(jsonOf(text("75"))).toBeUndefined();
    expect(jsonOf(text("{broken"))).toBeUndefined();
    expect(textOf(bytes(0xff, 0xfe))).toBeUndefined();
    expect(previewOf(bytes(0xff, 0x00))).toBe("ff 00");
    expect(hexOf(text("Hello, world! 123"))).toBe(
      "0000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 21 20 31 32  Hello, world! 12\n0010  33                                                3",
    );
  });

  test("is compared field by field, or line by line", () => {
    expect(differences(text('{"battery":75,"metadata":{"tags":["a"]},"gone":1}'), text('{"battery":74,"metadata":{"tags":["a","b"]}}'))).toEqual([
      { what: "battery", before: "75", now: "74" },
      { what: "gone", before: "1", now: undefined },
      { what: "metadata.tags[1]", before: undefined, now: '"b"' },
    ]);
    expect(differences(text("a\nb"), text("a\nc"))).toEqual([{ what: "2", before: "b", now: "c" }]);
    expect(differences(text("a"), bytes(0xff))).toBeUndefined();
    expect(differences({ ...text("{}"), truncated: true }, text("{}"))).toBeUndefined();
  });
});

test("topics are a tree with counts, and levels that only lead on are one", () => {
  const tree = new TopicTree();
  for (const t of ["obedio/y/cabin-1/status", "obedio/y/cabin-1/press", "obedio/y/cabin-10/status", "obedio/y/cabin-1/press"]) tree.add(t);
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const [top] = branches(tree.root, compare);
  expect(top).toMatchObject({ label: "obedio/y", node: { count: 4 } });
  expect(branches(top!.node, compare).map((b) => [b.label, b.node.count, b.node.path])).toEqual([
    ["cabin-1", 3, "obedio/y/cabin-1"], ["cabin-10/status", 1, "obedio/y/cabin-10/status"],
  ]);
});

class FakeSocket extends EventTarget {
  static all: FakeSocket[] = [];
  readyState: number = WebSocket.CONNECTING;
  sent: { op: string; filter?: object }[] = [];
  constructor() {
    super();
    FakeSocket.all.push(this);
  }
  send(s: string): void {
    this.sent.push(JSON.parse(s) as { op: string });
  }
  open(): void {
    this.readyState = WebSocket.OPEN;
    this.dispatchEvent(new Event("open"));
  }
  say(frame: object): void {
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(frame) }));
  }
  close(code = 1006): void {
    this.readyState = WebSocket.CLOSED;
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }
}

describe("the live view", () => {
  let live: LiveTraffic;
  let refused: number;
  let stop: () => void;
  const socket = () => FakeSocket.all.at(-1)!;
  beforeEach(() => {
    vi.useFakeTimers();
    FakeSocket.all = [];
    refused = 0;
    live = new LiveTraffic({ url: "ws://hub", batcher: new Batcher(), onRefused: () => refused++, connect: () => new FakeSocket() as unknown as WebSocket });
    stop = live.start();
  });
  afterEach(() => {
    stop();
    vi.useRealTimers();
  });

  test("asks for what is wanted, has the newest first, and tells how much was left out", () => {
    live.filter({ topic: "obedio/#", device: "", direction: "inbound", contains: "" });
    socket().open();
    expect(socket().sent).toMatchObject([{ op: "subscribe", filter: { topic: "obedio/#", direction: "inbound" }, max_rate: 500 }]);
    socket().say({ messages: [message({ payload: '{"battery":75}' }), message({ payload: '{"battery":74}' })], dropped: 3 });
    vi.advanceTimersByTime(1000);
    expect(live.rows.get().map((r) => [r.n, r.payload, r.before?.payload])).toEqual([[2, '{"battery":74}', '{"battery":75}'], [1, '{"battery":75}', undefined]]);
    expect(live.numbers.get()).toEqual({ rate: 0.4, seen: 2, dropped: 3 });
    vi.advanceTimersByTime(6000);
    expect(live.numbers.get().rate).toBe(0);
  });

  test("connects again, with the same filter and still paused; what was shown stays", () => {
    socket().open();
    socket().say({ messages: [message()], dropped: 0 });
    live.pause(true);
    socket().close();
    expect(live.link.get().state).toBe("waiting");
    vi.advanceTimersByTime(500);
    expect(FakeSocket.all).toHaveLength(2);
    socket().open();
    expect(socket().sent.map((s) => s.op)).toEqual(["subscribe", "pause"]);
    expect(live.rows.get()).toHaveLength(1);
  });

  test("does not knock again when the hub has shut the door", () => {
    socket().open();
    socket().close(1008);
    vi.advanceTimersByTime(60_000);
    expect(refused).toBe(1);
    expect(FakeSocket.all).toHaveLength(1);
  });

  test("says what the hub says of a filter", () => {
    socket().open();
    socket().say({ error: "topic filter: # only at the end" });
    vi.advanceTimersByTime(200);
    expect(live.fault.get()).toContain("only at the end");
    live.filter({ topic: "", device: "", direction: "", contains: "" });
    expect(live.fault.get()).toBeUndefined();
  });

  test("holds so many rows and no more, and a recording is what the hub told", () => {
    socket().open();
    live.record();
    for (let i = 0; i < 5; i++) socket().say({ messages: Array.from({ length: 500 }, (_, k) => message({ payload: `${i * 500 + k}` })), dropped: 0 });
    vi.advanceTimersByTime(2000);
    expect(live.rows.get()).toHaveLength(keepRows);
    const recorder = live.stopRecording()!;
    const lines = recorder.text().trim().split("\n");
    expect(lines).toHaveLength(2500);
    expect(JSON.parse(lines[0]!)).toEqual(message({ payload: "0" }));
    expect(recorder.name).toMatch(/^traffic-.*\.ndjson$/);
  });
});
