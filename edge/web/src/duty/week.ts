import type { Shift } from "../api/resources";

/** As the hub names them, the week beginning on Monday. */
export const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Weekday = (typeof weekdays)[number];

const dayMinutes = 24 * 60;

/** A piece of one day that a shift covers, in minutes on the clock of the wall. */
export interface Piece {
  shift: Shift;
  from: number;
  to: number;
  /** It began on the day before. */
  spilled: boolean;
}

export interface Gap {
  from: number;
  to: number;
}

export interface PlanDay {
  /** As 2026-05-01. */
  date: string;
  weekday: Weekday;
  pieces: Piece[];
  /** When nobody is on duty. */
  gaps: Gap[];
}

/** Days are counted in UTC here, where each has 24 hours: a plan is about dates and clocks on a wall. */
const asDate = (date: string) => new Date(`${date}T00:00:00Z`);

export function addDays(date: string, n: number): string {
  return new Date(asDate(date).getTime() + n * 86_400_000).toISOString().slice(0, 10);
}

/** The Monday of the week in which a date is. */
export function mondayOf(date: string): string {
  return addDays(date, -((asDate(date).getUTCDay() + 6) % 7));
}

/** The date at a time in a time zone. */
export function dateIn(at: number, zone: string | undefined): string {
  return new Intl.DateTimeFormat("en-CA", { year: "numeric", month: "2-digit", day: "2-digit", ...(zone ? { timeZone: zone } : {}) }).format(at);
}

/** A time of day as minutes. */
export function minutesOf(clock: string): number {
  const [h = 0, m = 0] = clock.split(":").map(Number);
  return h * 60 + m;
}

export function clockOf(minutes: number): string {
  const two = (n: number) => String(n).padStart(2, "0");
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** Whether a shift begins on a date; by the same rules as the hub. */
export function begins(shift: Shift, date: string): boolean {
  const weekday = weekdays[(asDate(date).getUTCDay() + 6) % 7]!;
  const days = shift.days ?? [];
  if (days.length > 0 && !days.includes(weekday)) return false;
  return (!shift.first_day || date >= shift.first_day) && (!shift.last_day || date <= shift.last_day);
}

/** What of a day its shifts cover, and those that began the day before. */
function piecesOf(shifts: readonly Shift[], date: string): Piece[] {
  const pieces: Piece[] = [];
  for (const shift of shifts) {
    const from = minutesOf(shift.from);
    const to = minutesOf(shift.to);
    const overnight = to <= from;
    if (overnight && to > 0 && begins(shift, addDays(date, -1))) pieces.push({ shift, from: 0, to, spilled: true });
    if (begins(shift, date)) pieces.push({ shift, from, to: overnight ? dayMinutes : to, spilled: false });
  }
  return pieces.sort((a, b) => a.from - b.from || a.to - b.to || a.shift.title.localeCompare(b.shift.title));
}

/** When none of the pieces puts anybody on duty. Backup does not count: it is told only later. */
export function gapsOf(pieces: readonly Piece[]): Gap[] {
  const gaps: Gap[] = [];
  let covered = 0;
  const duty = pieces.filter((p) => p.shift.as === "duty" && (p.shift.people ?? []).length > 0);
  for (const { from, to } of [...duty].sort((a, b) => a.from - b.from)) {
    if (from > covered) gaps.push({ from: covered, to: from });
    covered = Math.max(covered, to);
  }
  if (covered < dayMinutes) gaps.push({ from: covered, to: dayMinutes });
  return gaps;
}

/** The seven days that begin on a date. */
export function weekOf(shifts: readonly Shift[], first: string): PlanDay[] {
  return Array.from({ length: 7 }, (_, i) => {
    const date = addDays(first, i);
    const pieces = piecesOf(shifts, date);
    return { date, weekday: weekdays[(asDate(date).getUTCDay() + 6) % 7]!, pieces, gaps: gapsOf(pieces) };
  });
}

/** Lays pieces that overlap beside each other: the lane of each. */
export function lanesOf(pieces: readonly Piece[]): { lanes: number[]; count: number } {
  const ends: number[] = [];
  const lanes = pieces.map((p) => {
    const free = ends.findIndex((end) => end <= p.from);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = p.to;
    return lane;
  });
  return { lanes, count: Math.max(1, ends.length) };
}
