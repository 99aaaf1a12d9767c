import { jsonResponse } from "@obedio/web/testing";
import { act, screen, waitFor } from "@testing-library/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { beforeEach, expect, test, vi } from "vitest";
import type { ProvisionToken } from "../api/resources";
import { Hub } from "../hub";
import { aDevice, at, renderInHub } from "../testing";
import { Joining } from "./Joining";

let token: ProvisionToken;
let reachable = true;
let asked = 0;

beforeEach(() => {
  asked = 0;
  reachable = true;
  token = {
    id: "t-1", state: "open", type: "sensor", room: "galley", created_at: at(0), expires_at: at(1800), created_by: { kind: "user", id: "u" },
  };
  vi.stubGlobal("fetch", async (url: string) => {
    if (url.includes("/rooms")) return jsonResponse({ items: [{ room_id: "galley", name: "Galley", version: 1, devices: 0 }], next_cursor: null });
    asked++;
    if (!reachable) throw new TypeError("network");
    return jsonResponse(token);
  });
});

const stepState = (id: string) => document.querySelector(`[data-step="${id}"]`)?.getAttribute("data-state");

test("asks about an open token only, keeps it on the screen when the hub is away, and follows events after that", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  const hub = new Hub();
  renderInHub(<QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}><Joining tokenId="t-1" onAgain={() => {}} /></QueryClientProvider>, { hub });
  await waitFor(() => expect(stepState("claimed")).toBe("now"));
  await waitFor(() => expect(screen.getByTestId("joining").textContent).toContain("Galley"));
  reachable = false;
  await act(() => vi.advanceTimersByTimeAsync(4000));
  expect(stepState("open")).toBe("done");
  reachable = true;
  token = { ...token, state: "used", used_at: at(10), serial: "ab", device_id: "sen-1" };
  await act(() => vi.advanceTimersByTimeAsync(4000));
  await waitFor(() => expect(stepState("certified")).toBe("done"));
  const before = asked;
  act(() => hub.devices.upsert(aDevice({ device_id: "sen-1", type: "sensor", presence: { state: "ready", since: at(11), as_of: at(12) }, last_mqtt_activity: at(12) })));
  await waitFor(() => expect(screen.getByTestId("joining").getAttribute("data-ready")).toBe("true"));
  expect(stepState("pressed")).toBeUndefined();
  await act(() => vi.advanceTimersByTimeAsync(10_000));
  expect(asked).toBe(before);
  vi.useRealTimers();
});

test("offers a new code when the time of one is over", async () => {
  token = { ...token, state: "expired" };
  renderInHub(<QueryClientProvider client={new QueryClient()}><Joining tokenId="t-1" onAgain={() => {}} /></QueryClientProvider>);
  expect(await screen.findByTestId("token-ended")).toBeTruthy();
  expect(screen.getByRole("button", { name: "Make a new one" })).toBeTruthy();
  expect(stepState("open")).toBe("failed");
});
