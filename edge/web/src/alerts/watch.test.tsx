import { act, screen, waitFor } from "@testing-library/react";
import { ToastProvider } from "@obedio/web";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { Hub } from "../hub";
import { aSession, anAlert, renderInHub } from "../testing";
import { AlertWatch } from "./AlertWatch";

const struck = vi.fn<(frequency: number) => void>();

class FakeAudio {
  state = "running";
  currentTime = 0;
  destination = {};
  resume = async () => {};
  close = async () => {};
  createOscillator = () => ({ type: "", frequency: { set value(hz: number) { struck(hz); } }, connect: (next: unknown) => next, start: () => {}, stop: () => {} });
  createGain = () => ({ gain: { setValueAtTime: () => {}, exponentialRampToValueAtTime: () => {} }, connect: () => {} });
}

beforeEach(() => {
  struck.mockReset();
  vi.stubGlobal("AudioContext", FakeAudio);
});

/** A page that was touched, with what stood when it was opened. */
async function open(...standing: ReturnType<typeof anAlert>[]): Promise<Hub> {
  const hub = new Hub();
  renderInHub(<ToastProvider><AlertWatch /></ToastProvider>, { hub, session: aSession(["alerts.read"]) });
  dispatchEvent(new Event("pointerdown"));
  await act(() => hub.alerts.load(async () => ({ items: standing, next_cursor: null })));
  return hub;
}

test("what stood when the page was opened is not told, what comes and is critical is, once", async () => {
  const hub = await open(anAlert({ alert_id: "old", kind: "storage_failing", severity: "critical" }));
  act(() => {
    hub.alerts.upsert(anAlert({ alert_id: "mild" }));
    hub.alerts.upsert(anAlert({ alert_id: "new", kind: "nobody_reachable", severity: "critical", subject_kind: "site", subject: "", version: 1 }));
  });
  await waitFor(() => expect(screen.getByText(/No watch can be reached/)).toBeTruthy());
  act(() => hub.alerts.upsert(anAlert({ alert_id: "new", kind: "nobody_reachable", severity: "critical", version: 2, detail: { watches: "2" } })));
  await waitFor(() => expect(hub.alerts.get("new")?.version).toBe(2));
  expect(screen.getAllByText(/No watch can be reached/)).toHaveLength(1);
  expect(screen.queryByText(/A device is lost/)).toBeNull();
  expect(screen.queryByText(/The store fails/)).toBeNull();
});

test("an alarm sounds until somebody has seen it, a chime once", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  onTestFinished(() => void vi.useRealTimers());
  const hub = await open();
  const rule = { name: "bridge", on: ["alert" as const], signed: false, version: 1, etag: "", updated_at: "" };
  const heard = () => struck.mock.calls.map(([hz]) => hz);
  act(() => hub.rules.set([{ ...rule, sound: "chime", min_severity: "info" }]));
  act(() => hub.alerts.upsert(anAlert()));
  await waitFor(() => expect(heard()).toEqual([523, 392]));
  act(() => hub.rules.set([{ ...rule, sound: "alarm" }]));
  const once = [440, 330, 440, 330];
  await waitFor(() => expect(heard().slice(2)).toEqual(once));
  act(() => void vi.advanceTimersByTime(6000));
  expect(heard().slice(2)).toEqual([...once, ...once]);
  act(() => hub.alerts.upsert(anAlert({ state: "acknowledged", version: 2 })));
  act(() => void vi.advanceTimersByTime(60_000));
  expect(heard().slice(2)).toEqual([...once, ...once]);
});
