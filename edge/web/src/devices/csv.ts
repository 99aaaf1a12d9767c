import type { Device } from "../api/resources";

const columns: readonly [string, (d: Device) => string | number | undefined][] = [
  ["device_id", (d) => d.device_id],
  ["name", (d) => d.name],
  ["type", (d) => d.type],
  ["room", (d) => d.room],
  ["room_name", (d) => d.room_name],
  ["state", (d) => d.presence.state],
  ["since", (d) => d.presence.since],
  ["as_of", (d) => d.presence.as_of],
  ["battery", (d) => d.battery],
  ["battery_days_left", (d) => d.battery_days_left],
  ["signal_strength", (d) => d.signal_strength],
  ["via", (d) => d.via],
  ["firmware_version", (d) => d.firmware_version],
  ["security_profile", (d) => d.security_profile],
  ["tags", (d) => d.tags.join(" ")],
];

/** Devices as a table for a spreadsheet (RFC 4180), in the order given. */
export function devicesCsv(devices: readonly Device[]): string {
  const lines = [columns.map(([name]) => name), ...devices.map((d) => columns.map(([, read]) => cell(read(d))))];
  return lines.map((line) => `${line.join(",")}\r\n`).join("");
}

function cell(value: string | number | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "number") return String(value);
  // A spreadsheet must not take what somebody has typed for a formula.
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
