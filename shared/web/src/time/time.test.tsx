import { act, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { renderWithin } from "../testing";
import { Clock } from "./clock";
import { RelativeTime, useStopwatch } from "./hooks";
import { spanOf, stopwatch } from "./span";

const start = Date.parse("2026-03-01T12:00:00Z");
beforeEach(() => void vi.useFakeTimers({ now: start }));
afterEach(() => void vi.useRealTimers());
const tick = (ms: number) => act(() => void vi.advanceTimersByTime(ms));

test.each([
  [0, { unit: "s", count: 0 }],
  [59_999, { unit: "s", count: 59 }],
  [60_000, { unit: "min", count: 1 }],
  [3_599_999, { unit: "min", count: 59 }],
  [47.9 * 3_600_000, { unit: "h", count: 47 }],
  [48 * 3_600_000, { unit: "d", count: 2 }],
  [14 * 86_400_000, { unit: "d", count: 14 }],
  [28 * 86_400_000, { unit: "wk", count: 4 }],
  [-5, { unit: "s", count: 0 }],
])("spanOf(%d) rounds down to the largest unit", (ms, span) => expect(spanOf(ms)).toEqual(span));

test.each([[42_900, "0:42"], [185_000, "3:05"], [3_729_000, "1:02:09"], [-1, "0:00"]])("stopwatch(%d) is %s", (ms, text) =>
  expect(stopwatch(ms)).toBe(text));

function Waiting({ since }: { since: string }) {
  return <output>{useStopwatch(since)}</output>;
}

describe("Clock", () => {
  test("counts in the program's time although the browser's clock is wrong by years", () => {
    const clock = new Clock();
    clock.observe("2031-06-05T04:03:02Z", Date.now(), Date.now());
    renderWithin(<Waiting since="2031-06-05T04:02:20Z" />, { clock });
    expect(screen.getByRole("status").textContent).toBe("0:42");
    tick(18_000);
    expect(screen.getByRole("status").textContent).toBe("1:00");
  });

  test("takes half of the round trip off", () => {
    const clock = new Clock();
    clock.observe("2026-03-01T12:00:01Z", start, start + 600);
    expect(clock.now()).toBe(start + 700);
  });

  test("has one timer for all readers and none without", () => {
    const clock = new Clock();
    const leave = [clock.subscribe(() => {}), clock.subscribe(() => {})];
    expect(vi.getTimerCount()).toBe(1);
    for (const l of leave) l();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("RelativeTime", () => {
  test("tells the age, follows the clock, and holds the absolute time", () => {
    renderWithin(<RelativeTime at="2026-03-01T11:59:30Z" />);
    const time = screen.getByText(/30 s ago/);
    expect(time.getAttribute("datetime")).toBe("2026-03-01T11:59:30.000Z");
    expect(time.getAttribute("tabindex")).toBe("0");
    expect(time.textContent).toContain("1 Mar 2026");
    tick(90_000);
    expect(screen.getByText(/2 min ago/)).toBe(time);
  });

  test("says when a time lies ahead, and when there is none", () => {
    renderWithin(<><RelativeTime at="2026-03-01T15:00:00Z" /><RelativeTime at={undefined} /></>);
    expect(screen.getByText(/in 3 h/)).toBeTruthy();
    expect(screen.getByText("unknown")).toBeTruthy();
  });
});
