import { fireEvent, screen } from "@testing-library/react";
import { describe, expect, test, vi } from "vitest";
import { ApiError } from "../api/problem";
import { Clock } from "../time/clock";
import { renderWithin } from "../testing";
import { DataView } from "./DataView";
import { Skeletons } from "./Skeleton";
import type { ViewState } from "./view-state";

const now = Date.parse("2026-03-01T12:00:00Z");
const onRetry = vi.fn();
const onClearFilter = vi.fn();
const show = (state: ViewState) =>
  renderWithin(
    <DataView
      state={state}
      onRetry={onRetry}
      onClearFilter={onClearFilter}
      empty={{ title: "No devices yet", detail: "They appear when registered.", action: <button type="button">Add</button> }}
      skeleton={<Skeletons count={2} itemClass="h-4" />}
    >
      <p>rows</p>
    </DataView>,
    { clock: new Clock(() => now) },
  );
const rows = () => screen.queryByText("rows") !== null;
const error = new ApiError({ status: 500, title: "The program failed", detail: "disk", requestId: "req-1" });

describe("DataView", () => {
  test("loading: placeholders, said to screen readers", () => {
    show({ kind: "loading" });
    expect(rows()).toBe(false);
    expect(screen.getByRole("status", { name: "Loading" })).toBeTruthy();
  });

  test("empty: why, and the one next action", () => {
    show({ kind: "empty" });
    expect(rows()).toBe(false);
    expect(screen.getByText("They appear when registered.")).toBeTruthy();
    expect(screen.getByRole("button", { name: "Add" })).toBeTruthy();
  });

  test("filtered-empty: how many there are, and a way back", () => {
    show({ kind: "filtered-empty", total: 214 });
    expect(screen.getByText("0 of 214 match")).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: "Clear the filter" }));
    expect(onClearFilter).toHaveBeenCalled();
  });

  test("live: the rows and nothing else", () => {
    show({ kind: "live" });
    expect(rows()).toBe(true);
    expect(document.querySelector("[data-view-state]")!.textContent).toBe("rows");
  });

  test("stale: the last rows with their age", () => {
    show({ kind: "stale", asOf: now - 65_000 });
    expect(rows()).toBe(true);
    expect(screen.getByTestId("view-stale").textContent).toContain("1 min ago");
  });

  test("offline: a banner with the time, the last rows, and a way to try", () => {
    show({ kind: "offline", since: now - 3 * 3_600_000 });
    expect(rows()).toBe(true);
    expect(screen.getByTestId("view-offline").textContent).toContain("3 h");
    fireEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(onRetry).toHaveBeenCalled();
  });

  test("partial: the rows that loaded, and a way to get the rest", () => {
    show({ kind: "partial", shown: 7, error });
    expect(rows()).toBe(true);
    expect(screen.getByText(/7 rows/)).toBeTruthy();
    expect(screen.getByRole("button", { name: "Try again" })).toBeTruthy();
  });

  test("error: title, detail and request id, to copy", () => {
    show({ kind: "error", error });
    expect(rows()).toBe(false);
    expect(screen.getByText("The program failed: disk")).toBeTruthy();
    expect(screen.getByText("req-1")).toBeTruthy();
    expect(screen.getByRole("button", { name: "Copy" })).toBeTruthy();
  });

  test("forbidden and too old: what is needed", () => {
    const { rerender } = show({ kind: "unavailable", why: "forbidden", needs: "devices.read" });
    expect(screen.getByTestId("view-forbidden").textContent).toContain("devices.read");
    rerender(<DataView state={{ kind: "unavailable", why: "too-old", needs: "" }} empty={{ title: "" }} skeleton={null}>x</DataView>);
    expect(screen.getByTestId("view-too-old").textContent).toContain("Update the program");
  });
});
