/** What an action of the audit begins with, for the filter: those that people look for. */
export const auditAreas = ["session.", "user.", "token.", "provision.", "certificate.", "device.", "room.", "profile.", "acl.", "command.", "request.", "mqtt.", "address.", "hub.", "clock.", "backup."] as const;

/** "provision.claimed" → "Provision claimed": the glossary's own words, readable. */
export function actionWords(action: string): string {
  const words = action.replace(/[._]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Detail as name and value, by name, without what is empty. */
export function detailRows(detail: Record<string, string> | undefined): [string, string][] {
  return Object.entries(detail ?? {}).filter(([, v]) => v !== "").sort(([a], [b]) => a.localeCompare(b));
}

/** A local time of a field, as the API takes it; undefined when there is none. */
export function instantOf(local: string): string | undefined {
  const at = local === "" ? Number.NaN : Date.parse(local);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}
