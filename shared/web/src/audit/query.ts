import type { Query } from "../api/client";
import type { AuditEntry, AuditFilter } from "./types";

const names = ["actor", "action", "target", "from", "to"] as const;

/** The filter that an address holds; what is none is left out. */
export function auditFilterOf(search: Record<string, unknown>): AuditFilter {
  const filter: AuditFilter = {};
  for (const name of names) {
    const value = search[name];
    if (typeof value !== "string" || value === "") continue;
    if ((name === "from" || name === "to") && dayStart(value) === undefined) continue;
    filter[name] = value;
  }
  return filter;
}

export function isFiltered(filter: AuditFilter): boolean {
  return names.some((name) => filter[name] !== undefined);
}

/** True when the days are the wrong way round. */
export function daysTurned(filter: AuditFilter): boolean {
  return filter.from !== undefined && filter.to !== undefined && filter.to < filter.from;
}

/** The filter as the API takes it: whole days, in this browser's zone. */
export function auditQuery(filter: AuditFilter): Query {
  const { actor, action, target } = filter;
  return {
    actor,
    action,
    target,
    from: filter.from && dayStart(filter.from)?.toISOString(),
    to: filter.to && dayStart(filter.to, 1)?.toISOString(),
  };
}

function dayStart(day: string, later = 0): Date | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) return undefined;
  const at = new Date(`${day}T00:00:00`);
  if (Number.isNaN(at.getTime())) return undefined;
  at.setDate(at.getDate() + later);
  return at;
}

export type ActorKind = "user" | "device" | "system" | "unknown";

export function actorKind(entry: AuditEntry): ActorKind {
  const { kind } = entry.actor;
  return kind === "user" || kind === "device" || kind === "system" ? kind : "unknown";
}

/** The key of an entry: its place. */
export function entryKey(entry: AuditEntry): string {
  return `${entry.chain}/${entry.n}`;
}
