/** A length of time in its largest whole unit. */
export interface Span {
  unit: "s" | "min" | "h" | "d" | "wk";
  count: number;
}

const steps: readonly [Span["unit"], number][] = [
  ["wk", 28 * 86_400_000],
  ["d", 2 * 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 0],
];
const lengths: Record<Span["unit"], number> = { wk: 604_800_000, d: 86_400_000, h: 3_600_000, min: 60_000, s: 1000 };

/** Rounds down; days from 48 h on and weeks from 28 days on. Negative lengths count as none. */
export function spanOf(ms: number): Span {
  const length = Math.max(0, ms);
  for (const [unit, from] of steps) {
    if (length >= from) return { unit, count: Math.floor(length / lengths[unit]) };
  }
  return { unit: "s", count: 0 };
}

/** 0:42, 3:05, 1:02:09: for timers that count up. */
export function stopwatch(ms: number): string {
  const total = Math.floor(Math.max(0, ms) / 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  const h = Math.floor(total / 3600);
  const m = Math.floor(total / 60) % 60;
  const s = total % 60;
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
