import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { jsonResponse } from "@obedio/web/testing";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { CallRequest } from "../api/resources";
import { Hub } from "../hub";
import { aDuty, aRequest, aSession, at, renderInHub } from "../testing";
import { CallCard } from "./CallCard";
import { EmergencyScreen } from "./Emergency";

const posts: { path: string; body: unknown }[] = [];
let answer: (path: string) => Response;

beforeEach(() => {
  posts.length = 0;
  answer = () => jsonResponse({}, { status: 500 });
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    posts.push({ path: url, body: init.body ? JSON.parse(String(init.body)) : undefined });
    return answer(url);
  });
});
afterEach(() => void document.documentElement.classList.remove("scroll-locked"));

function withRequest(over: Partial<CallRequest> = {}): Hub {
  const hub = new Hub();
  hub.clock.observe(at(42), Date.now(), Date.now());
  hub.requests.upsert(aRequest(over));
  return hub;
}

describe("CallCard", () => {
  test("says where, how urgent, how often, how late, how long and who was not reached", () => {
    const hub = withRequest({
      priority: "urgent", presses: 5, late_by_ms: 42 * 60_000,
      notified: { watches: 3, reached: 2, told: [], unreachable: [{ device_id: "watch-3", why: "not_subscribed" }] },
    });
    renderInHub(<CallCard id="r-1" />, { hub });
    const card = screen.getByTestId("call");
    expect(card.textContent).toContain("Cabin 101");
    expect(card.textContent).toContain("Urgent call");
    expect(card.textContent).toContain("×5");
    expect(card.textContent).toContain("42 min late");
    expect(screen.getByRole("timer", { name: "Waiting" }).textContent).toBe("0:42");
    fireEvent.click(screen.getByRole("button", { name: /1 not reached/ }));
    expect(screen.getByRole("dialog").textContent).toContain("connected, but does not listen");
  });

  test("accepts on the version it shows, and then offers to mark done", async () => {
    const hub = withRequest();
    answer = () => jsonResponse(aRequest({ state: "accepted", version: 2, accepted_at: at(43), accepted_by: { kind: "user", id: "u-mila", name: "Mila" } }));
    renderInHub(<CallCard id="r-1" />, { hub });
    fireEvent.click(screen.getByRole("button", { name: "I’m going to Cabin 101" }));
    await screen.findByRole("button", { name: /Mark the call from Cabin 101 done/ });
    expect(posts).toEqual([{ path: "/api/v1/requests/r-1/accept", body: { version: 1 } }]);
    expect(screen.getByText("With you")).toBeTruthy();
  });

  test("the one who loses the race is told who won", async () => {
    const hub = withRequest();
    const won = aRequest({ state: "accepted", version: 2, accepted_at: at(43), accepted_by: { kind: "device", id: "watch-7", name: "Luca" } });
    answer = () => jsonResponse({ title: "It has changed meanwhile", status: 409, request: won }, { status: 409, type: "application/problem+json" });
    renderInHub(<CallCard id="r-1" />, { hub });
    fireEvent.click(screen.getByRole("button", { name: /I’m going/ }));
    expect(await screen.findByText("Luca was faster")).toBeTruthy();
    expect(screen.getByText("With Luca")).toBeTruthy();
  });

  test("another screen's accept arrives as an event", () => {
    const hub = withRequest();
    renderInHub(<CallCard id="r-1" />, { hub });
    act(() => hub.requests.upsert(aRequest({ state: "accepted", version: 2, accepted_at: at(43), accepted_by: { kind: "user", id: "u-2", name: "Luca" } })));
    expect(screen.getByText("With Luca")).toBeTruthy();
  });

  test("cancels with a reason", async () => {
    const hub = withRequest();
    answer = () => jsonResponse(aRequest({ state: "cancelled", version: 2, ended_at: at(50) }));
    renderInHub(<CallCard id="r-1" />, { hub });
    fireEvent.click(screen.getByRole("button", { name: "Cancel the call from Cabin 101" }));
    const dialog = within(screen.getByRole("dialog"));
    fireEvent.click(dialog.getByRole("radio", { name: "Pressed by mistake" }));
    fireEvent.click(dialog.getByRole("button", { name: "Cancel the call" }));
    await waitFor(() => expect(posts).toEqual([{ path: "/api/v1/requests/r-1/cancel", body: { version: 1, reason: "false_press" } }]));
  });

  test("offers nothing that the role may not do", () => {
    renderInHub(<CallCard id="r-1" />, { hub: withRequest(), session: aSession([]) });
    // Who knows of it may be read.
    expect(screen.getAllByRole("button").map((b) => b.textContent)).toEqual(["2 watches told"]);
  });

  test("says how far it has escalated, that a room is quiet, and what is wanted", () => {
    const hub = withRequest({ level: 1, told_to: "backup", kind: "drinks", kind_label: "Drinks", note: "two coffees", purpose: "drill" });
    renderInHub(<CallCard id="r-1" />, { hub });
    const card = screen.getByTestId("call");
    expect(screen.getByTestId("escalation").textContent).toBe("Told: on dutybackup");
    for (const words of ["Drinks · Bedside button", "“two coffees”", "Drill"]) expect(card.textContent).toContain(words);
    act(() => hub.requests.upsert(aRequest({ version: 2, notified: { watches: 0, reached: 0, told: [], unreachable: [], quiet: true } })));
    expect(card.textContent).toContain("Quiet room: nobody is rung");
  });

  test("the one to whom a call is offered can take or decline it; until then the other has it", async () => {
    const hub = withRequest({
      state: "accepted", accepted_at: at(40), accepted_by: { kind: "user", id: "u-2", name: "Luca", person_id: "luca" },
      offer: { at: at(41), by: { kind: "user", id: "u-2", name: "Luca" }, expires_at: at(102), person_id: "mila", name: "Mila" },
    });
    hub.duty.set({ value: aDuty([{ person_id: "mila", name: "Mila", user_id: "u-mila", duty: "duty", teams: [] }]) });
    renderInHub(<CallCard id="r-1" />, { hub });
    expect(screen.getByTestId("offer").textContent).toContain("Luca offers you this call · 1:00");
    expect(screen.getByText("With Luca")).toBeTruthy();
    answer = () => jsonResponse(aRequest({ version: 2, entries: 2, state: "accepted", accepted_at: at(40), accepted_by: { kind: "user", id: "u-2", name: "Luca" } }));
    fireEvent.click(screen.getByRole("button", { name: "Decline Cabin 101" }));
    await waitFor(() => expect(screen.queryByTestId("offer")).toBeNull());
    expect(posts.map((p) => p.path)).toEqual(["/api/v1/requests/r-1/decline"]);
  });

  test("an offer that has run out is gone without an event", () => {
    const hub = withRequest({ offer: { at: at(0), by: { kind: "user", id: "u-2" }, expires_at: at(41), person_id: "mila" } });
    renderInHub(<CallCard id="r-1" />, { hub });
    expect(screen.queryByTestId("offer")).toBeNull();
  });
});

describe("EmergencyScreen", () => {
  test("takes the screen as an alert, has the focus on accepting, and accepts from there", async () => {
    const hub = withRequest({ priority: "emergency" });
    answer = () => jsonResponse(aRequest({ priority: "emergency", state: "accepted", version: 2, accepted_at: at(43) }));
    renderInHub(<EmergencyScreen />, { hub });
    const screenWide = screen.getByRole("alert");
    expect(screenWide.textContent).toContain("Cabin 101");
    const accept = screen.getByRole("button", { name: "I’m going to Cabin 101" });
    expect(document.activeElement).toBe(accept);
    fireEvent.click(accept);
    await waitFor(() => expect(screen.queryByRole("alert")).toBeNull());
  });

  test("only emergencies are alerts, and only while nobody has accepted", () => {
    const hub = withRequest({ priority: "urgent" });
    hub.requests.upsert(aRequest({ request_id: "r-2", priority: "emergency", state: "accepted" }));
    renderInHub(<EmergencyScreen />, { hub });
    expect(screen.queryByRole("alert")).toBeNull();
  });

  test("can be put aside, stays as a bar, and a new emergency brings it back", () => {
    const hub = withRequest({ priority: "emergency" });
    renderInHub(<EmergencyScreen />, { hub });
    fireEvent.click(screen.getByRole("button", { name: "Show the other calls" }));
    expect(screen.queryByRole("alert")).toBeNull();
    expect(screen.getByTestId("emergency-bar").textContent).toContain("Cabin 101");
    act(() => hub.requests.upsert(aRequest({ request_id: "r-2", room_name: "Sun deck", priority: "emergency" })));
    expect(screen.getByRole("alert").textContent).toContain("Sun deck");
  });
});
