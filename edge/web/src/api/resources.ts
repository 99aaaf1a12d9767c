// The one place where this user interface takes its resource types from.
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Actor = Schemas["Actor"];
export type CallRequest = Schemas["Request"];
export type Command = Schemas["Command"];
export type Device = Schemas["Device"];
export type Presence = Schemas["Presence"];
export type Press = Schemas["Press"];
export type System = Schemas["SystemView"];
export type Uplink = Schemas["UplinkView"];
export type CancelReason = Schemas["RequestCancel"]["reason"];
/** The data of a `config` event, which the document does not name. */
export interface ConfigChange {
  kind: "device" | "room";
  id: string;
  removed: boolean;
}
