import type { components } from "../api/schema";

export type Claim = components["schemas"]["Claim"];

/** Reads a console's claim file; undefined when it is something else. */
export function parseClaim(text: string): Claim | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const c = value as Partial<Record<keyof Claim, unknown>>;
  const texts = [c.claim, c.expires_at, c.fleet_root_sha256, c.site_id, c.url];
  return texts.every((v) => typeof v === "string" && v !== "") && typeof c.version === "number" ? (value as Claim) : undefined;
}
