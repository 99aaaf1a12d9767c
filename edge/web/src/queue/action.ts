/** What a person can do while the hub is out of reach. */
export type ActionKind = "accept" | "complete" | "cancel" | "delegate" | "decline" | "command";

/**
 * Something that a person wanted done while there was no way to the hub, as it
 * is kept in this browser. `key` is its Idempotency-Key: whoever sends it, and
 * however often, the hub does it once.
 */
export interface QueuedAction {
  key: string;
  kind: ActionKind;
  /** Below the API's base: /requests/…/accept. */
  path: string;
  body: unknown;
  /** Who wanted it; another person's session does not send it. */
  userId: string;
  /** The request or the device that it is about. */
  target: string;
  /** What people call that: a room or a device. */
  label: string;
  /** The command's name. */
  name?: string;
  /** This browser's time in milliseconds. */
  queuedAt: number;
  /** Those wanted earlier have a smaller one, also within a millisecond. */
  order: number;
  /**
   * `waiting` is sent when the hub is back. `asking` is a command that has waited
   * too long, and `refused` is what the hub would not do; both wait for a person.
   */
  state: "waiting" | "asking" | "refused";
  /** It was sent once and no answer came: the hub may have it. */
  tried?: boolean;
  /** While one of this browser's pages or its worker sends it: until when that counts. */
  sendingUntil?: number;
  /** Why the hub refused it. */
  refusal?: Refusal;
}

export interface Refusal {
  title: string;
  detail?: string;
  /** Who was faster. */
  takenBy?: string;
  /** The request has ended meanwhile. */
  ended?: boolean;
}

/** How old a device command may be, in milliseconds, to be sent without asking again. */
export const commandMaxAge = 30_000;

/** Whether a command has waited too long. A clock that went back cannot tell, so it asks. */
export function isTooOld(action: QueuedAction, now: number): boolean {
  if (action.kind !== "command") return false;
  const age = now - action.queuedAt;
  return age < 0 || age > commandMaxAge;
}
