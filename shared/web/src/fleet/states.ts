import {
  Archive, BellRing, CircleCheck, CircleDashed, CircleDot, CircleX, Clock3, ClockAlert, CloudUpload, Hourglass, Link2, Link2Off, MailCheck,
  Moon, OctagonPause, PowerOff, Radio, Replace, Send, ShieldX, Siren, Thermometer, TriangleAlert, Watch, type LucideIcon,
} from "lucide-react";
import type { Tone } from "../ui/Pill";

/** The glossary's words, as both programs send them. */
export const presenceStates = ["ready", "sleeping", "late", "lost", "disconnected", "never_seen", "retired"] as const;
export type PresenceState = (typeof presenceStates)[number];
export const linkStates = ["online", "late", "offline", "stalled", "never_connected", "revoked", "retired"] as const;
export type LinkState = (typeof linkStates)[number];
export const deviceTypes = ["button", "watch", "repeater", "sensor"] as const;
export type DeviceType = (typeof deviceTypes)[number];
export const priorities = ["normal", "urgent", "emergency"] as const;
export type Priority = (typeof priorities)[number];
export type RequestState = "open" | "accepted" | "completed" | "cancelled" | "missed";
export const commandStates = [
  "queued", "at_hub", "sent", "delivered", "acknowledged", "succeeded", "failed", "expired", "cancelled", "superseded",
] as const;
export type CommandState = (typeof commandStates)[number];

/** Icon and colour of a state; the word is in the message catalogue. */
export interface Look {
  icon: LucideIcon;
  tone: Tone;
}

export const presenceLook: Record<PresenceState, Look> = {
  ready: { icon: CircleCheck, tone: "ok" },
  sleeping: { icon: Moon, tone: "idle" },
  late: { icon: ClockAlert, tone: "warn" },
  lost: { icon: TriangleAlert, tone: "bad" },
  disconnected: { icon: PowerOff, tone: "idle" },
  never_seen: { icon: CircleDashed, tone: "idle" },
  retired: { icon: Archive, tone: "idle" },
};

export const linkLook: Record<LinkState, Look> = {
  online: { icon: Link2, tone: "ok" },
  late: { icon: ClockAlert, tone: "warn" },
  offline: { icon: Link2Off, tone: "idle" },
  stalled: { icon: OctagonPause, tone: "bad" },
  never_connected: { icon: CircleDashed, tone: "idle" },
  revoked: { icon: ShieldX, tone: "bad" },
  retired: { icon: Archive, tone: "idle" },
};

export const priorityLook: Record<Priority, Look> = {
  normal: { icon: BellRing, tone: "accent" },
  urgent: { icon: BellRing, tone: "warn-strong" },
  emergency: { icon: Siren, tone: "bad-strong" },
};

export const requestLook: Record<RequestState, Look> = {
  open: { icon: BellRing, tone: "accent" },
  accepted: { icon: CircleCheck, tone: "ok" },
  completed: { icon: CircleCheck, tone: "ok" },
  cancelled: { icon: CircleX, tone: "idle" },
  missed: { icon: TriangleAlert, tone: "bad" },
};

export const commandLook: Record<CommandState, Look> = {
  queued: { icon: Clock3, tone: "idle" },
  at_hub: { icon: CloudUpload, tone: "idle" },
  sent: { icon: Send, tone: "accent" },
  delivered: { icon: MailCheck, tone: "accent" },
  acknowledged: { icon: Hourglass, tone: "accent" },
  succeeded: { icon: CircleCheck, tone: "ok" },
  failed: { icon: CircleX, tone: "bad" },
  expired: { icon: ClockAlert, tone: "warn" },
  cancelled: { icon: CircleX, tone: "idle" },
  superseded: { icon: Replace, tone: "idle" },
};

const typeIcons: Record<DeviceType, LucideIcon> = { button: CircleDot, watch: Watch, repeater: Radio, sensor: Thermometer };

/** An unknown type (more can be configured) gets a neutral icon. */
export function typeIcon(type: string): LucideIcon {
  return Object.hasOwn(typeIcons, type) ? typeIcons[type as DeviceType] : CircleDashed;
}

/** A command in one of these states will not change any more. */
export function isFinal(state: CommandState): boolean {
  return ["succeeded", "failed", "expired", "cancelled", "superseded"].includes(state);
}

const unknownLook: Look = { icon: CircleDashed, tone: "idle" };

/** The look of a state that may come from a newer program: unknown is neutral, never green. */
export function lookOf<S extends string>(looks: Record<S, Look>, state: string): Look {
  return Object.hasOwn(looks, state) ? looks[state as S] : unknownLook;
}
