// Fixtures for this workspace's tests; not part of the build.
import type { Session } from "@obedio/web";
import { renderWithin } from "@obedio/web/testing";
import { RouterContextProvider } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Alert, CallRequest, Device, Duty, Serving } from "./api/resources";
import { HubProvider, SessionProvider } from "./context";
import { Hub } from "./hub";
import { hub as texts } from "./messages/hub";
import { makeRouter } from "./router";

export const at = (second: number) => new Date(Date.UTC(2026, 2, 1, 12, 0, second)).toISOString();

export function aRequest(over: Partial<CallRequest> = {}): CallRequest {
  return {
    request_id: "r-1", device_id: "btn-001", device_name: "Bedside button", device_type: "button", room: "cabin-101", room_name: "Cabin 101",
    state: "open", purpose: "call", level: 0, priority: "normal", version: 1, entries: 1, presses: 1, opened_at: at(0), last_press_at: at(0), waiting_ms: 0,
    notified: { watches: 2, reached: 2, told: [], unreachable: [] }, ...over,
  };
}

export function aDevice(over: Partial<Device> = {}): Device {
  return {
    device_id: "btn-001", site: "yacht-1", room: "cabin-101", room_name: "Cabin 101", type: "button", mqtt_client_id: "btn-001",
    base_topic: "obedio/yacht-1/cabin-101/button/btn-001", security_profile: "button", created_at: at(0), updated_at: at(0),
    mqtt_subscriptions: [], presence: { state: "ready", since: at(0), as_of: at(0) }, metadata: {}, tags: [], version: 1, etag: '"1"', ...over,
  };
}

export function anAlert(over: Partial<Alert> = {}): Alert {
  return {
    alert_id: "a-1", kind: "device_lost", severity: "warning", subject_kind: "device", subject: "btn-001", room: "cabin-101", room_name: "Cabin 101",
    state: "active", since: at(0), raised_at: at(0), updated_at: at(0), occurrences: 1, members: [], detail: {}, version: 1, ...over,
  };
}

export function aDuty(crew: Serving[] = []): Duty {
  const on = crew.filter((p) => p.duty === "duty").length;
  return { as_of: at(0), time_zone: "UTC", rostered: true, crew, watches: [], on_duty: on, reachable: on, notes: [], quiet_rooms: [] };
}

export function aSession(permissions: string[] = ["requests.accept", "requests.complete", "requests.cancel"]): Session {
  return {
    session_id: "s", user: { user_id: "u-mila", username: "mila", name: "Mila", role: "crew" }, permissions, expires_at: at(3600),
  };
}

export function renderInHub(node: ReactNode, { hub = new Hub(), session = aSession() } = {}) {
  const router = makeRouter();
  const wrap = (inner: ReactNode) => <HubProvider value={hub}><SessionProvider value={session}><RouterContextProvider router={router}>{inner}</RouterContextProvider></SessionProvider></HubProvider>;
  const result = renderWithin(wrap(node), { messages: texts.en, clock: hub.clock });
  return { ...result, hub };
}
