import type { components } from "../api/schema";

/** A message that passed the broker, as the live view and the history give it. */
export type TrafficMessage = components["schemas"]["TrafficMessage"];

/** What is shown of it live. */
export interface Row extends TrafficMessage {
  /** Counts messages of this page. */
  n: number;
  /** The one before on the same topic and in the same direction, if this page has seen it. */
  before: Content | undefined;
}

/** What is in a message. */
export type Content = Pick<TrafficMessage, "at" | "payload" | "payload_encoding" | "truncated">;

/** Under this client come the hub's own messages, and those that people publish by hand. */
export const hubClient = "$hub";
