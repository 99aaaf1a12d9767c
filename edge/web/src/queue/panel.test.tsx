import "fake-indexeddb/auto";
import { jsonResponse } from "@obedio/web/testing";
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CallCard } from "../calls/CallCard";
import { Hub } from "../hub";
import { aRequest, aSession, at, renderInHub } from "../testing";
import { DatabaseStore } from "./store";
import { QueueBadge } from "./QueuePanel";

let answer: () => Response | Promise<Response>;
let posts: number;

beforeEach(() => {
  posts = 0;
  answer = () => Promise.reject(new TypeError("network"));
  vi.stubGlobal("fetch", async () => {
    posts++;
    return answer();
  });
});
afterEach(async () => {
  const store = new DatabaseStore();
  for (const { key } of await store.all()) await store.remove(key);
  document.documentElement.classList.remove("scroll-locked");
});

function show(): Hub {
  const hub = new Hub();
  hub.session.state.set({ kind: "in", session: aSession() });
  hub.clock.observe(at(42), Date.now(), Date.now());
  hub.requests.upsert(aRequest());
  renderInHub(<><QueueBadge /><CallCard id="r-1" /></>, { hub });
  return hub;
}

test("an accept without an answer waits on its card, and is taken back there", async () => {
  show();
  fireEvent.click(screen.getByRole("button", { name: "I’m going to Cabin 101" }));
  const queued = await screen.findByTestId("queued");
  expect(queued.textContent).toContain("Not sent yet");
  expect(screen.getByTestId("queue-badge").textContent).toBe("1 waiting");
  fireEvent.click(within(queued).getByRole("button", { name: "Take back: I’m going, Cabin 101" }));
  expect(await screen.findByRole("button", { name: "I’m going to Cabin 101" })).toBeTruthy();
  expect(posts).toBe(1);
});

test("who was faster is told when the hub is back", async () => {
  const hub = show();
  fireEvent.click(screen.getByRole("button", { name: "I’m going to Cabin 101" }));
  await screen.findByTestId("queued");
  const request = aRequest({ state: "accepted", version: 2, accepted_at: at(43), accepted_by: { kind: "device", id: "watch-7", name: "Luca" } });
  answer = () => jsonResponse({ title: "It has changed meanwhile", status: 409, request }, { status: 409, type: "application/problem+json" });
  await hub.queue.drain();
  expect((await screen.findAllByText("Taken by Luca")).length).toBeGreaterThan(0);
  fireEvent.click(screen.getByTestId("queue-badge"));
  fireEvent.click(await screen.findByRole("button", { name: "Seen: I’m going, Cabin 101" }));
  await waitFor(() => expect(screen.getByText("Nothing waits.")).toBeTruthy());
});
