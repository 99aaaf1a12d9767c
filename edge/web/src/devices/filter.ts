import type { Collection, FilterSchema } from "@obedio/web";
import type { CallRequest, Device } from "../api/resources";

/** The filter words for devices: the same as those of the hub's list. */
export const deviceFilter: FilterSchema<Device> = {
  fields: {
    state: { kind: "text", read: (d) => d.presence.state },
    type: { kind: "text", read: (d) => d.type },
    room: { kind: "text", read: (d) => [d.room, d.room_name] },
    id: { kind: "text", read: (d) => d.device_id },
    name: { kind: "text", read: (d) => d.name },
    tag: { kind: "text", read: (d) => d.tags },
    profile: { kind: "text", read: (d) => d.security_profile },
    firmware: { kind: "text", read: (d) => d.firmware_version },
    battery: { kind: "number", read: (d) => d.battery },
    battery_days_left: { kind: "number", read: (d) => d.battery_days_left },
    signal: { kind: "number", read: (d) => d.signal_strength },
    via: { kind: "text", read: (d) => d.via },
  },
  text: (d) => [d.device_id, d.name, d.room, d.room_name, d.type],
};

export const filterWords = Object.keys(deviceFilter.fields);

export interface DeviceCounts {
  total: number;
  states: Record<string, number>;
  types: Record<string, number>;
  lowBattery: number;
  /** Empty within this week, by the forecast. */
  soonEmpty: number;
}

export const lowBatteryTerm = "battery:<20";
export const soonEmptyTerm = "battery_days_left:<7";

/** Adds a term of the filter, or takes it away. */
export function togglePlain(filter: string, term: string): string {
  return filter.includes(term) ? filter.replace(term, "").replace(/\s+/g, " ").trim() : `${filter} ${term}`.trim();
}

export function countDevices(devices: Collection<Device>): DeviceCounts {
  const counts: DeviceCounts = { total: devices.size, states: {}, types: {}, lowBattery: 0, soonEmpty: 0 };
  for (const d of devices.values()) {
    counts.states[d.presence.state] = (counts.states[d.presence.state] ?? 0) + 1;
    counts.types[d.type] = (counts.types[d.type] ?? 0) + 1;
    if (d.battery !== undefined && d.battery < 20) counts.lowBattery++;
    if (d.battery_days_left !== undefined && d.battery_days_left < 7) counts.soonEmpty++;
  }
  return counts;
}

export const deviceSorts = ["room", "attention", "id", "battery", "forecast", "seen"] as const;
export type DeviceSort = (typeof deviceSorts)[number];

export function sortNamed(name: string | undefined): DeviceSort {
  return deviceSorts.find((s) => s === name) ?? "room";
}

const urgency: Record<string, number> = { lost: 0, late: 2, disconnected: 3, never_seen: 4, ready: 5, sleeping: 5, retired: 6 };

/** The lower, the sooner somebody should look: lost, low battery, late. */
export function attentionOf(d: Device): number {
  const low = d.battery !== undefined && d.battery < 20 && d.presence.state !== "retired" ? 1 : 9;
  return Math.min(urgency[d.presence.state] ?? 4, low);
}

/** Compares by the chosen column and then by room and id, so that equal rows keep their places. */
export function compareDevices(sort: DeviceSort, collator: Intl.Collator): (a: Device, b: Device) => number {
  const byPlace = (a: Device, b: Device) =>
    collator.compare(a.room_name || a.room, b.room_name || b.room) || collator.compare(a.device_id, b.device_id);
  switch (sort) {
    case "room":
      return byPlace;
    case "id":
      return (a, b) => collator.compare(a.device_id, b.device_id);
    case "attention":
      return (a, b) => attentionOf(a) - attentionOf(b) || byPlace(a, b);
    case "battery":
      return (a, b) => (a.battery ?? 101) - (b.battery ?? 101) || byPlace(a, b);
    case "forecast":
      return (a, b) => (a.battery_days_left ?? Infinity) - (b.battery_days_left ?? Infinity) || (a.battery ?? 101) - (b.battery ?? 101) || byPlace(a, b);
    case "seen":
      return (a, b) => (a.last_mqtt_activity ?? "").localeCompare(b.last_mqtt_activity ?? "") || byPlace(a, b);
  }
}

/** The devices that are calling now. */
export function callingDevices(requests: Collection<CallRequest>): ReadonlySet<string> {
  return new Set([...requests.values()].filter((r) => r.state === "open").map((r) => r.device_id));
}
