import type { CallRequest, Device, ProvisionToken } from "../api/resources";

/** What a device that joins has shown, in order. Each is so once it has been so. */
export interface Progress {
  claimed: boolean;
  /** It has a certificate; a device with a password has none. */
  certified: boolean;
  connected: boolean;
  spoke: boolean;
  pressed: boolean;
}

export const noProgress: Progress = { claimed: false, certified: false, connected: false, spoke: false, pressed: false };

const here: readonly string[] = ["ready", "sleeping"];

/**
 * What token, device and its newest request show, added to what was shown
 * before: a device that has said its first word and sleeps has said it. Only
 * what happened since the token was used counts, because a device whose
 * hardware is replaced has a past.
 */
export function progressOf(before: Progress, token: ProvisionToken, device: Device | undefined, request: CallRequest | undefined): Progress {
  const used = token.used_at === undefined ? undefined : Date.parse(token.used_at);
  if (token.state !== "used" || used === undefined) return before;
  const heard = device?.last_mqtt_activity === undefined ? 0 : Date.parse(device.last_mqtt_activity);
  const since = device === undefined ? 0 : Date.parse(device.presence.since);
  const pressed = before.pressed || (request !== undefined && Date.parse(request.last_press_at) >= used);
  // Connecting is the first evidence, and what comes after it is a message.
  const spoke = before.spoke || pressed || (device !== undefined && here.includes(device.presence.state) && since >= used && heard > since);
  const connected = before.connected || spoke || (device !== undefined && here.includes(device.presence.state) && heard >= used);
  return { claimed: true, certified: token.serial !== undefined, connected, spoke, pressed };
}

export type StepId = "open" | "claimed" | "certified" | "connected" | "spoke" | "pressed";

/** The steps of a device of this type: only a button is pressed. */
export function stepsOf(type: string): readonly StepId[] {
  const all: StepId[] = ["open", "claimed", "certified", "connected", "spoke"];
  return type === "button" ? [...all, "pressed"] : all;
}

export function isDone(step: StepId, progress: Progress): boolean {
  switch (step) {
    case "open":
      return progress.claimed;
    // A device that came without a key has a password, and needs no certificate.
    case "claimed":
    case "certified":
      return progress.claimed;
    default:
      return progress[step];
  }
}

export function isReady(type: string, progress: Progress): boolean {
  return stepsOf(type).every((step) => isDone(step, progress));
}
