// The one place where this user interface takes its resource types from. When
// schema.d.ts is generated from openapi.json, these names point there instead.
export type {
  Actor, CallRequest, CancelReason, Command, ConfigChange, Device, Presence, Press, System, Uplink,
} from "./contract";
