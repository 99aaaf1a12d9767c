import { jsonResponse } from "@obedio/web/testing";
import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { beforeEach, expect, test, vi } from "vitest";
import type { ClockReading } from "../api/resources";
import { aSession, renderInHub } from "../testing";
import { ClockCard } from "./ClockCard";

const puts: unknown[] = [];
let reading: ClockReading;

beforeEach(() => {
  puts.length = 0;
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    if (init.method === "PUT") {
      puts.push(JSON.parse(String(init.body)));
      const now = new Date().toISOString();
      reading = { now, source: "operator", system: now, trusted: true };
    }
    return jsonResponse(reading);
  });
});

function show(permissions: string[]) {
  renderInHub(<QueryClientProvider client={new QueryClient()}><ClockCard /></QueryClientProvider>, { session: aSession(permissions) });
}

test("a jump that nobody has confirmed is told, and confirmed by a person", async () => {
  const now = Date.now();
  reading = { now: new Date(now - 3 * 86_400_000).toISOString(), source: "floor", system: new Date(now).toISOString(), trusted: false, unconfirmed_jump_s: 3 * 86_400 };
  show(["system.write"]);
  const jump = await screen.findByTestId("clock-jump");
  expect(jump.textContent).toContain("3 days ahead");
  expect(screen.getByText("Unconfirmed jump")).toBeTruthy();
  expect(screen.getByTestId("clock").textContent).toContain("behind the clock of the device you hold");
  await act(async () => void fireEvent.click(screen.getByRole("button", { name: "The time is right" })));
  await waitFor(() => expect(screen.getByText("Set or confirmed by a person.")).toBeTruthy());
  expect(puts).toEqual([{ confirm: true }]);
  expect(screen.queryByTestId("clock-jump")).toBeNull();
});

test("who may not set the clock sees only what it says", async () => {
  const now = new Date().toISOString();
  reading = { now, source: "ntp", system: now, trusted: true };
  show([]);
  await screen.findByText("Kept in step by a time server.");
  expect(screen.queryByRole("button")).toBeNull();
});
