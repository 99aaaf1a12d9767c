const units = ["B", "kB", "MB", "GB"] as const;

/** A size in the unit that gives one to three digits before the point. */
export function sizeOf(bytes: number): { value: number; unit: (typeof units)[number] } {
  let value = bytes;
  let place = 0;
  while (Math.round(value) >= 1000 && place < units.length - 1) {
    value /= 1000;
    place++;
  }
  return { value: place === 0 || value >= 100 ? Math.round(value) : Math.round(value * 10) / 10, unit: units[place]! };
}
