import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Batcher } from "./batch";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("applies the first step at once and the rest at most ten times a second", () => {
  const batcher = new Batcher();
  const told = vi.fn();
  const reader = { notify: told };
  let applied = 0;
  for (let i = 0; i < 200; i++) {
    batcher.queue(() => {
      applied++;
      batcher.changed(reader);
    });
    vi.advanceTimersByTime(5);
  }
  expect(applied).toBeGreaterThan(150);
  vi.advanceTimersByTime(100);
  expect(applied).toBe(200);
  expect(told.mock.calls.length).toBeLessThanOrEqual(12);
});

test("keeps the order of steps", () => {
  const batcher = new Batcher();
  const seen: number[] = [];
  for (let i = 0; i < 5; i++) batcher.queue(() => void seen.push(i));
  vi.advanceTimersByTime(100);
  expect(seen).toEqual([0, 1, 2, 3, 4]);
});

test("tells a reader once for many changes in one run", () => {
  const batcher = new Batcher();
  const reader = { notify: vi.fn() };
  batcher.run(() => {
    batcher.changed(reader);
    batcher.run(() => batcher.changed(reader));
    expect(reader.notify).not.toHaveBeenCalled();
  });
  expect(reader.notify).toHaveBeenCalledTimes(1);
});
