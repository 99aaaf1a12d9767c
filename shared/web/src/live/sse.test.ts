import { describe, expect, test } from "vitest";
import { SseParser } from "./sse";

describe("SseParser", () => {
  const text = 'retry: 3000\nid: a-1\n\n: still here\n\nevent: request\ndata: {"a":1}\nid: a-2\n\nevent: request\r\ndata: x\r\ndata: y\r\nid: a-3\r\n\r\n';

  test("yields the same frames however the text is cut", () => {
    for (let size = 1; size <= text.length; size++) {
      const parser = new SseParser();
      const frames = [];
      for (let at = 0; at < text.length; at += size) frames.push(...parser.push(text.slice(at, at + size)));
      expect(frames, `chunks of ${size}`).toEqual([
        { event: "request", data: '{"a":1}', id: "a-2" },
        { event: "request", data: "x\ny", id: "a-3" },
      ]);
      expect(parser.retry).toBe(3000);
    }
  });

  test("moves the last event id on a frame without data", () => {
    const parser = new SseParser("a-1");
    expect(parser.push("id: a-7\n\n")).toEqual([]);
    expect(parser.lastEventId).toBe("a-7");
  });

  test("does not count an id whose frame has not ended", () => {
    const parser = new SseParser("a-1");
    parser.push("id: a-8\n");
    expect(parser.lastEventId).toBe("a-1");
  });
});
