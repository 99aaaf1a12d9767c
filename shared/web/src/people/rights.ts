/** Rights by what they are about, in the order in which people read them. */
export const rightGroups = [
  ["calls", ["requests.read", "requests.write", "requests.accept", "requests.complete", "requests.cancel", "requests.delegate"]],
  ["devices", ["devices.read", "devices.write", "rooms.read", "rooms.write", "provision.write"]],
  ["commands", ["commands.read", "commands.send", "commands.cancel", "jobs.read", "orders.read", "orders.write"]],
  ["crew", ["crew.read", "crew.write", "tablets.write"]],
  ["watch", ["alerts.read", "alerts.acknowledge", "events.read", "traffic.read", "traffic.payloads", "traffic.publish"]],
  ["security", ["security.read", "security.write", "audit.read"]],
  ["sites", ["sites.read", "sites.write", "templates.read", "templates.write"]],
  ["program", ["sync.read", "sync.control", "system.read", "system.write", "backups.write", "metrics.read"]],
  ["people", ["users.read", "users.write", "tokens.write", "sessions.own", "sessions.others"]],
] as const;

export type RightGroup = (typeof rightGroups)[number][0] | "other";

export interface GroupedRights {
  group: RightGroup;
  rights: string[];
}

/** The given rights in groups; those that this page does not know come last. */
export function groupRights(rights: readonly string[]): GroupedRights[] {
  const left = new Set(rights);
  const out: GroupedRights[] = [];
  for (const [group, names] of rightGroups) {
    const found = names.filter((name) => left.delete(name));
    if (found.length > 0) out.push({ group, rights: found });
  }
  if (left.size > 0) out.push({ group: "other", rights: [...left].sort() });
  return out;
}

/** All that any of the roles may do. */
export function allRights(roles: readonly { permissions: readonly string[] }[]): string[] {
  return [...new Set(roles.flatMap((r) => r.permissions))];
}
