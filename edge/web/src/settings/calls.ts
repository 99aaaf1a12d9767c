import type { Escalation, EscalationLevel, PressProfile, Service } from "../api/resources";

export const priorities = ["normal", "urgent", "emergency"] as const;
export type Priority = (typeof priorities)[number];
export const presses = ["single", "double", "long", "shake"] as const;
/** Who is told, the fewest first. */
export const recipients = ["duty", "backup", "lead", "all"] as const;
export type Recipients = (typeof recipients)[number];

export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** A priority as it is; the hub's newest word may be one that this page does not know. */
export function priorityOf(word: string | undefined): Priority {
  return priorities.find((p) => p === word) ?? "normal";
}

export function recipientsOf(word: string): Recipients {
  return recipients.find((r) => r === word) ?? "all";
}

export interface EscalationDraft {
  levels: EscalationLevel[];
  ring_every_s: number;
  missed_after_s: number;
  late_max_s: number;
}

export function escalationDraft(v: Escalation): EscalationDraft {
  return { levels: v.levels ?? [], ring_every_s: v.ring_every_s, missed_after_s: v.missed_after_s, late_max_s: v.late_max_s };
}

/** The next step tells more people than the last one, if there are more. */
export function nextLevel(levels: readonly EscalationLevel[]): EscalationLevel {
  const last = recipients.indexOf(recipientsOf(levels.at(-1)?.to ?? "duty"));
  return { to: recipients[Math.min(last + 1, recipients.length - 1)]!, after_s: 60 };
}

/** No step tells fewer people than the one before. */
export function inOrder(levels: readonly EscalationLevel[]): boolean {
  return levels.every((l, i) => i === 0 || recipients.indexOf(recipientsOf(l.to)) >= recipients.indexOf(recipientsOf(levels[i - 1]!.to)));
}

export interface PressDraft {
  name: string;
  types: PressProfile["types"];
  burst_presses: number;
  burst_priority: Priority;
}

export function pressDraft(v: PressProfile): PressDraft {
  return { name: v.name, types: v.types, burst_presses: v.burst_presses ?? 0, burst_priority: priorityOf(v.burst_priority ?? "urgent") };
}

export function pressBody(d: PressDraft): object {
  return { types: d.types, ...(d.burst_presses > 0 ? { burst_presses: d.burst_presses, burst_priority: d.burst_priority } : {}) };
}

export interface ServiceDraft {
  kind: string;
  label: string;
  team: string;
  priority: Priority;
}

export function serviceDraft(v: Service): ServiceDraft {
  return { kind: v.kind, label: v.label, team: v.team ?? "", priority: priorityOf(v.priority) };
}

export function serviceBody(d: ServiceDraft): object {
  return { label: d.label.trim(), ...(d.team ? { team: d.team } : {}), ...(d.priority !== "normal" ? { priority: d.priority } : {}) };
}
