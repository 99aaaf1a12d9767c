import type { Room } from "../api/resources";

export interface Deck {
  name: string;
  rooms: Room[];
}

/** Rooms deck by deck, each in its order; those without a deck come last. */
export function decksOf(rooms: Iterable<Room>, collator: Intl.Collator): Deck[] {
  const decks = new Map<string, Room[]>();
  for (const r of rooms) decks.set(r.deck ?? "", [...(decks.get(r.deck ?? "") ?? []), r]);
  return [...decks]
    .map(([name, inside]) => ({ name, rooms: inside.sort((a, b) => place(a) - place(b) || collator.compare(a.name || a.room_id, b.name || b.room_id)) }))
    .sort((a, b) => Number(a.name === "") - Number(b.name === "") || collator.compare(a.name, b.name));
}

const place = (r: Room) => r.position || Infinity;

/** The list with one entry moved to another place. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const next = [...list];
  const [item] = next.splice(from, 1);
  if (item !== undefined) next.splice(Math.max(0, Math.min(to, next.length)), 0, item);
  return next;
}

/** Whether a room is quiet at a time: a quiet ends by itself, and the hub tells of no change then. */
export function quietAt(room: Pick<Room, "quiet" | "quiet_until">, now: number): boolean {
  return room.quiet && (room.quiet_until === undefined || now < Date.parse(room.quiet_until));
}

/** When it is the next so many o'clock in a time zone, in milliseconds. */
export function nextHour(now: number, hour: number, zone: string | undefined): number {
  const parts = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", ...(zone ? { timeZone: zone } : {}) });
  const of = (at: number) => {
    const [h = 0, m = 0, s = 0] = parts.format(at).split(":").map(Number);
    return (h * 3600 + m * 60 + s) * 1000;
  };
  const wanted = hour * 3_600_000;
  let ahead = wanted - of(now);
  if (ahead <= 0) ahead += 86_400_000;
  const at = now - (now % 1000) + ahead;
  // In a night in which the clocks change, the wall shows another hour then.
  const off = of(at) - wanted;
  return Math.abs(off) <= 2 * 3_600_000 ? at - off : at;
}
