/** One line of a table of names and values that is being edited. */
export interface Line {
  name: string;
  value: string;
}

/** What is wrong with lines; undefined when nothing is. */
export type LineFault = { kind: "twice"; name: string } | { kind: "noName" };

export function faultOf(lines: readonly Line[]): LineFault | undefined {
  const seen = new Set<string>();
  for (const { name, value } of lines) {
    if (name === "" && value !== "") return { kind: "noName" };
    if (name !== "" && seen.has(name)) return { kind: "twice", name };
    seen.add(name);
  }
  return undefined;
}

/** The entries of texts, without the lines that are empty. */
export function textsOf(lines: readonly Line[]): Record<string, string> {
  return Object.fromEntries(lines.filter((l) => l.name !== "").map((l) => [l.name, l.value]));
}

export function linesOfTexts(entries: Readonly<Record<string, string>>): Line[] {
  return Object.entries(entries).sort(byName).map(([name, value]) => ({ name, value }));
}

/** A JSON value as a person writes it: texts without quotation marks where nothing else could be meant. */
export function written(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value);
  return parsed(value) === undefined && value === value.trim() && value !== "" ? value : JSON.stringify(value);
}

/** What a person has written: JSON where it is some, else text. */
export function meant(text: string): unknown {
  const value = parsed(text);
  return value === undefined ? text.trim() : value;
}

export function settingsOf(lines: readonly Line[]): Record<string, unknown> {
  return Object.fromEntries(lines.filter((l) => l.name !== "").map((l) => [l.name, meant(l.value)]));
}

export function linesOfSettings(settings: Readonly<Record<string, unknown>>): Line[] {
  return Object.entries(settings).sort(byName).map(([name, value]) => ({ name, value: written(value) }));
}

/** The JSON object in a text; undefined when there is none. */
export function objectIn(text: string): Record<string, unknown> | undefined {
  const value = parsed(text);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const byName = (a: [string, unknown], b: [string, unknown]) => a[0].localeCompare(b[0]);
