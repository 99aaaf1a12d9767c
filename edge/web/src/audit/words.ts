/** What an action of the audit begins with, for the filter: those that people look for. */
export const auditAreas = ["device.", "room.", "provision.", "certificate.", "policy.", "mqtt.", "address.", "session.", "user.", "token.", "command.", "request.", "order.", "clock.", "hub.", "backup.", "disk."] as const;

/** Detail as name and value, by name, without what is empty. */
export function detailRows(detail: Record<string, string> | undefined): [string, string][] {
  return Object.entries(detail ?? {}).filter(([, v]) => v !== "").sort(([a], [b]) => a.localeCompare(b));
}

/** A local time of a field, as the API takes it; undefined when there is none. */
export function instantOf(local: string): string | undefined {
  const at = local === "" ? Number.NaN : Date.parse(local);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}
