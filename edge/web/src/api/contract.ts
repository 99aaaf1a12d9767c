// The hub's resources as its REST contract states them. Written by hand until
// openapi.json is there; resources.ts is the only file that imports it.
import type { CommandState, PresenceState, Priority, RequestState } from "@obedio/web";

export interface Presence {
  state: PresenceState;
  since: string;
  as_of: string;
}

export interface Device {
  device_id: string;
  site: string;
  room: string;
  room_name: string;
  type: string;
  name?: string;
  mqtt_client_id: string;
  base_topic: string;
  last_will?: { topic: string; message: string };
  security_profile: string;
  created_at: string;
  updated_at: string;
  legacy_device_id?: string;
  last_mqtt_activity?: string;
  mqtt_subscriptions?: string[];
  presence: Presence;
  battery?: number;
  signal_strength?: number;
  firmware_version?: string;
  boot_id?: string;
  uptime_s?: number;
  metadata: Record<string, string> | null;
  tags: string[];
  version: number;
  etag: string;
}

export interface Press {
  device_id: string;
  boot_id: string;
  sequence_id: number;
  press_type: string;
  priority: Priority;
  duration_ms?: number;
  device_time?: string;
  received_at: string;
  late_by_ms?: number;
  request_id: string;
  via?: string;
}

export interface Actor {
  kind: "user" | "device" | "system";
  id: string;
  person_id?: string;
  name?: string;
}

export type CancelReason = "guest" | "false_press" | "duplicate" | "other";

export interface CallRequest {
  request_id: string;
  device_id: string;
  device_name?: string;
  device_type?: string;
  room: string;
  room_name: string;
  state: RequestState;
  priority: Priority;
  version: number;
  presses: number;
  opened_at: string;
  late_by_ms?: number;
  last_press_at: string;
  accepted_at?: string;
  accepted_by?: Actor;
  ended_at?: string;
  ended_by?: Actor;
  cancel_reason?: CancelReason;
  note?: string;
  waiting_ms: number;
  /** Absent until the hub has told somebody. */
  notified?: { watches: number; reached: number; unreachable: { device_id: string; why: string }[] };
}

export interface Command {
  command_id: string;
  device_id: string;
  name: string;
  args?: unknown;
  state: CommandState;
  issued_by: Actor;
  issued_at: string;
  expires_at: string;
  job_id?: string;
  order?: number;
  updated_at: string;
  steps: { state: CommandState; at: string }[];
  result?: unknown;
  error?: string;
  anomaly?: CommandState;
}

export interface Uplink {
  state: "none" | "connecting" | "online" | "offline" | "refused";
  since: string;
  last_contact?: string;
  last_error?: string;
  backlog: { requests: number; commands: number; state: number; registry: number };
  console_url?: string;
}

export interface System {
  site: string;
  site_name: string;
  hub_id: string;
  version: string;
  epoch: string | number;
  started_at: string;
  now: string;
  clock_trusted: boolean;
  uplink: Uplink;
  counts: {
    devices: Record<PresenceState, number>;
    requests: { open: number; accepted: number };
    watches_reachable: number;
    watches: number;
  };
  storage: { bytes: number };
}

export interface ConfigChange {
  kind: "device" | "room";
  id: string;
  removed: boolean;
}
