import { describe, expect, test, vi } from "vitest";
import type { Page } from "../api/client";
import { ApiError } from "../api/problem";
import { Batcher } from "./batch";
import { Collection } from "./collection";

interface Item {
  id: string;
  version: number;
}

function make() {
  return new Collection<Item>({ key: (i) => i.id, batcher: new Batcher(), supersedes: (next, held) => next.version >= held.version });
}

// A list that answers when the test says so.
function gate() {
  const waiting: { answer: (page: Page<Item>) => void; fail: (error: unknown) => void; cursor: string | undefined }[] = [];
  return {
    waiting,
    page: (cursor: string | undefined) => new Promise<Page<Item>>((answer, fail) => void waiting.push({ answer, fail, cursor })),
  };
}

describe("Collection", () => {
  test("never lets a reading undo what an event has said since it began", async () => {
    const items = make();
    const list = gate();
    const loading = items.load(list.page);
    items.upsert({ id: "a", version: 5 });
    items.upsert({ id: "gone", version: 1 });
    items.remove("gone");
    list.waiting[0]!.answer({ items: [{ id: "a", version: 4 }, { id: "b", version: 1 }, { id: "gone", version: 1 }], next_cursor: null });
    await loading;
    expect(items.get("a")).toEqual({ id: "a", version: 5 });
    expect(items.get("gone")).toBeUndefined();
    expect(items.ids()).toEqual(["a", "b"]);
    expect(items.status.phase).toBe("ready");
  });

  test("drops on a reading what the program no longer has", async () => {
    const items = make();
    items.upsert({ id: "old", version: 1 });
    await items.load(async () => ({ items: [{ id: "a", version: 1 }], next_cursor: null }));
    expect(items.ids()).toEqual(["a"]);
  });

  test("shows pages as they come and is partial when one fails", async () => {
    const items = make();
    const list = gate();
    const loading = items.load(list.page);
    list.waiting[0]!.answer({ items: [{ id: "a", version: 1 }], next_cursor: "2" });
    await vi.waitFor(() => expect(list.waiting[1]?.cursor).toBe("2"));
    expect(items.size).toBe(1);
    list.waiting[1]!.fail(new ApiError({ status: 500, title: "failed" }));
    await loading;
    expect(items.status.phase).toBe("partial");
    expect(items.size).toBe(1);
  });

  test("replaces a reading under way by a newer one", async () => {
    const items = make();
    const first = gate();
    const second = gate();
    const one = items.load(first.page);
    const two = items.load(second.page);
    second.waiting[0]!.answer({ items: [{ id: "new", version: 1 }], next_cursor: null });
    await two;
    first.waiting[0]!.answer({ items: [{ id: "stale", version: 1 }], next_cursor: null });
    await one;
    expect(items.ids()).toEqual(["new"]);
  });

  test("ignores an event that is older than what is held", () => {
    const items = make();
    items.upsert({ id: "a", version: 3 });
    items.upsert({ id: "a", version: 2 });
    expect(items.get("a")!.version).toBe(3);
  });

  test("tells only the readers of the key that changed", () => {
    const items = make();
    items.upsert({ id: "a", version: 1 });
    items.upsert({ id: "b", version: 1 });
    const a = vi.fn();
    const b = vi.fn();
    items.subscribeKey("a", a);
    const leave = items.subscribeKey("b", b);
    items.upsert({ id: "b", version: 2 });
    expect(a).not.toHaveBeenCalled();
    expect(b).toHaveBeenCalledTimes(1);
    leave();
    items.upsert({ id: "b", version: 3 });
    expect(b).toHaveBeenCalledTimes(1);
  });

  test("keeps the array of keys while none comes or goes", () => {
    const items = make();
    items.upsert({ id: "a", version: 1 });
    const ids = items.ids();
    items.upsert({ id: "a", version: 2 });
    expect(items.ids()).toBe(ids);
  });
});
