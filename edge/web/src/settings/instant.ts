/** A local time of a field, as the API takes it; undefined when there is none. */
export function instantOf(local: string): string | undefined {
  const at = local === "" ? Number.NaN : Date.parse(local);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}
