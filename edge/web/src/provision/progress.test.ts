import { describe, expect, test } from "vitest";
import type { ProvisionToken } from "../api/resources";
import { aDevice, aRequest, at } from "../testing";
import { isReady, noProgress, progressOf, stepsOf } from "./progress";

const open: ProvisionToken = {
  id: "t-1", state: "open", type: "button", room: "cabin-101", created_at: at(0), expires_at: at(1800), created_by: { kind: "user", id: "u" },
};
const used: ProvisionToken = { ...open, state: "used", used_at: at(10), serial: "ab", device_id: "btn-001" };
const ready = (since: number, heard: number) =>
  aDevice({ presence: { state: "ready", since: at(since), as_of: at(heard) }, last_mqtt_activity: at(heard) });

describe("progressOf", () => {
  test("shows nothing while the token is open", () => {
    expect(progressOf(noProgress, open, ready(0, 5), undefined)).toEqual(noProgress);
  });

  test("goes on step by step, and never back", () => {
    let p = progressOf(noProgress, used, aDevice({ presence: { state: "never_seen", since: at(10), as_of: at(10) } }), undefined);
    expect(p).toEqual({ claimed: true, certified: true, connected: false, spoke: false, pressed: false });
    p = progressOf(p, used, ready(12, 12), undefined);
    expect(p).toMatchObject({ connected: true, spoke: false });
    p = progressOf(p, used, ready(12, 13), undefined);
    expect(p).toMatchObject({ spoke: true, pressed: false });
    expect(isReady("button", p)).toBe(false);
    expect(isReady("sensor", p)).toBe(true);
    p = progressOf(p, used, ready(12, 14), aRequest({ last_press_at: at(14) }));
    p = progressOf(p, used, aDevice({ presence: { state: "disconnected", since: at(20), as_of: at(14) }, last_mqtt_activity: at(14) }), undefined);
    expect(isReady("button", p)).toBe(true);
  });

  test("takes nothing of the old hardware's past for the new one's", () => {
    const p = progressOf(noProgress, { ...used, replaces: true }, ready(2, 8), aRequest({ last_press_at: at(9) }));
    expect(p).toMatchObject({ claimed: true, connected: false, spoke: false, pressed: false });
  });

  test("takes a device with a password for one that needs no certificate", () => {
    const { serial: _, ...password } = used;
    expect(progressOf(noProgress, password, undefined, undefined)).toMatchObject({ claimed: true, certified: false });
    expect(stepsOf("watch")).not.toContain("pressed");
  });
});
