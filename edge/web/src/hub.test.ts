import { jsonResponse } from "@obedio/web/testing";
import { FakeStream } from "@obedio/web/testing";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { Hub } from "./hub";
import { aDevice, aDuty, aRequest, anAlert, at } from "./testing";

const asked: string[] = [];
let stream: FakeStream;

beforeEach(() => {
  asked.length = 0;
  stream = new FakeStream();
  vi.stubGlobal("fetch", async (url: string) => {
    const path = url.replace("/api/v1", "").split("?")[0]!;
    asked.push(path);
    switch (path) {
      case "/events":
        return stream.response;
      case "/devices":
        return jsonResponse({ items: [aDevice()], next_cursor: null });
      case "/rooms":
        return jsonResponse({ items: [{ room_id: "cabin-101", name: "Blue cabin", quiet: false, version: 2, devices: 1 }], next_cursor: null });
      case "/duty":
        return jsonResponse(aDuty());
      case "/requests":
        return jsonResponse({ items: [aRequest()], next_cursor: null });
      default:
        return jsonResponse({}, { status: 404 });
    }
  });
});

describe("Hub", () => {
  test("applies events to the stores and asks for no list because of them", async () => {
    const hub = new Hub();
    const stop = hub.start();
    await vi.waitFor(() => expect(hub.devices.status.phase).toBe("ready"));
    const before = asked.length;
    stream.event("mqtt:device-status", aDevice({ battery: 75 }), "a-1");
    stream.event("request", aRequest({ state: "accepted", version: 2 }), "a-2");
    await vi.waitFor(() => expect(hub.requests.get("r-1")?.state).toBe("accepted"));
    expect(hub.devices.get("btn-001")?.battery).toBe(75);
    expect(asked.length).toBe(before);
    stop();
    expect(hub.devices.size).toBe(0);
  });

  test("alerts come and go by events; an older word about one changes nothing, and no list is read for it", async () => {
    const hub = new Hub();
    const stop = hub.start();
    await vi.waitFor(() => expect(hub.devices.status.phase).toBe("ready"));
    const before = asked.length;
    stream.event("alert", anAlert({ version: 2 }), "a-1");
    stream.event("alert", anAlert({ version: 1, state: "silenced" }), "a-2");
    stream.event("alert", anAlert({ alert_id: "a-2", version: 1, state: "cleared" }), "a-3");
    await vi.waitFor(() => expect(hub.alerts.get("a-2")?.state).toBe("cleared"));
    expect(hub.alerts.get("a-1")?.state).toBe("active");
    expect(asked.length).toBe(before);
    stream.event("config", { kind: "notification", id: "bridge", removed: false }, "a-4");
    await vi.waitFor(() => expect(asked.slice(before)).toEqual(["/notifications/rules"]));
    stop();
    expect(hub.alerts.size).toBe(0);
  });

  test("takes a new device from its event, and forgets one that was removed", async () => {
    const hub = new Hub();
    const stop = hub.start();
    await vi.waitFor(() => expect(hub.devices.size).toBe(1));
    stream.event("config", { kind: "device", id: "btn-002", removed: false }, "a-1");
    stream.event("mqtt:device-status", aDevice({ device_id: "btn-002" }), "a-1");
    await vi.waitFor(() => expect(hub.devices.ids()).toEqual(["btn-001", "btn-002"]));
    stream.event("config", { kind: "device", id: "btn-001", removed: true }, "a-2");
    await vi.waitFor(() => expect(hub.devices.ids()).toEqual(["btn-002"]));
    stop();
  });

  test("a tablet that runs for months keeps only the newest ended requests", async () => {
    const hub = new Hub();
    const stop = hub.start();
    await vi.waitFor(() => expect(hub.requests.status.phase).toBe("ready"));
    for (let i = 0; i < 200; i++) {
      stream.event("request", aRequest({ request_id: `done-${i}`, state: "completed", ended_at: at(i) }), `a-${i}`);
    }
    await vi.waitFor(() => expect(hub.requests.get("done-199")).toBeDefined());
    expect(hub.requests.size).toBe(51);
    expect(hub.requests.get("r-1")).toBeDefined();
    stop();
  });

  test("a room's new name is applied; devices and requests are not read again for it", async () => {
    const hub = new Hub();
    const stop = hub.start();
    await vi.waitFor(() => expect(hub.devices.status.phase).toBe("ready"));
    const before = asked.length;
    stream.event("config", { kind: "room", id: "cabin-101", removed: false }, "a-1");
    stream.event("config", { kind: "room", id: "cabin-101", removed: false }, "a-2");
    await vi.waitFor(() => expect(hub.devices.get("btn-001")?.room_name).toBe("Blue cabin"), { timeout: 3000 });
    expect(hub.requests.get("r-1")?.room_name).toBe("Blue cabin");
    expect(asked.slice(before)).toEqual(["/rooms"]);
    stop();
  });

  test("who is on duty is read once for any number of changes of the crew, and again when watches come and go", async () => {
    const hub = new Hub();
    const stop = hub.start();
    await vi.waitFor(() => expect(hub.duty.get().value?.on_duty).toBe(0));
    const before = asked.length;
    for (const kind of ["person", "shift", "override", "handover"]) stream.event("config", { kind, id: "mila", removed: false }, `a-${kind}`);
    await vi.waitFor(() => expect(asked.slice(before)).toEqual(["/duty"]), { timeout: 3000 });
    const counts = (watches_reachable: number) => ({ counts: { watches: 3, watches_reachable } });
    stream.event("mqtt:system-health", counts(3), "b-1");
    stream.event("mqtt:system-health", counts(3), "b-2");
    stream.event("mqtt:system-health", counts(2), "b-3");
    await vi.waitFor(() => expect(asked.slice(before)).toEqual(["/duty", "/duty"]));
    stop();
  });

  test("a press of a walk is read with the walk", async () => {
    const hub = new Hub();
    const stop = hub.start();
    await vi.waitFor(() => expect(hub.requests.status.phase).toBe("ready"));
    const leave = hub.followWalk();
    await vi.waitFor(() => expect(asked.filter((path) => path === "/walk")).toHaveLength(1));
    stream.event("config", { kind: "walk", id: "", removed: false }, "a-1");
    await vi.waitFor(() => expect(asked.filter((path) => path === "/walk")).toHaveLength(2));
    leave();
    stop();
  });

  test("tells pages once when rules or certificates change, and reads no list of its own for it", async () => {
    const hub = new Hub();
    const stop = hub.start();
    await vi.waitFor(() => expect(hub.devices.status.phase).toBe("ready"));
    const before = asked.length;
    stream.event("config", { kind: "profile", id: "button", removed: false }, "a-1");
    stream.event("config", { kind: "acl", id: "guests", removed: true }, "a-2");
    stream.event("mqtt:security-alert", { kind: "audit", reason: "certificate.revoked", entry: {} }, "a-3");
    stream.event("mqtt:security-alert", { id: 7, kind: "denied", reason: "default: deny", first_at: at(0), last_at: at(1), count: 2 }, "a-4");
    stream.event("mqtt:security-alert", { id: 7, kind: "denied", reason: "default: deny", first_at: at(0), last_at: at(0), count: 1 }, "a-5");
    await vi.waitFor(() => expect(hub.policyChanges.get()).toBe(1), { timeout: 3000 });
    expect(hub.denials.get("7")?.count).toBe(2);
    expect(asked.length).toBe(before);
    stop();
  });
});
