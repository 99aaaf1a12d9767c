/** How long a token is to last. */
export const expiries = ["30", "90", "365", "date", "never"] as const;
export type Expiry = (typeof expiries)[number];

const day = 86_400_000;

/**
 * When a token of that choice ends, as the API takes it; undefined for never,
 * null where the day is missing or over. `date` is YYYY-MM-DD: the token is
 * good until that day is over here.
 */
export function expiresAt(expiry: Expiry, date: string, now: number): string | undefined | null {
  if (expiry === "never") return undefined;
  if (expiry !== "date") return new Date(now + Number(expiry) * day).toISOString();
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date)) return null;
  const end = new Date(`${date}T00:00:00`);
  end.setDate(end.getDate() + 1);
  return end.getTime() > now ? end.toISOString() : null;
}

export type ExpiryState = "expired" | "soon" | "later" | "never";

/** Two weeks before the end it is time for a new one. */
export function expiryState(at: string | null, now: number): ExpiryState {
  if (at === null) return "never";
  const left = Date.parse(at) - now;
  return left <= 0 ? "expired" : left < 14 * day ? "soon" : "later";
}
