import type { PolicyDocument } from "../api/resources";

export interface Change {
  name: string;
  kind: "added" | "removed" | "changed";
}

export const nameOf = (d: Pick<PolicyDocument, "kind" | "name">): string => `${d.kind}/${d.name}`;

/** The same text for bodies that say the same, whatever the order of their keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) =>
    typeof v === "object" && v !== null && !Array.isArray(v) ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1))) : v);
}

/** What has become of the documents of one version in the next. */
export function changesOf(before: readonly PolicyDocument[], after: readonly PolicyDocument[]): Change[] {
  const was = new Map(before.map((d) => [nameOf(d), canonical(d.body)]));
  const is = new Map(after.map((d) => [nameOf(d), canonical(d.body)]));
  const changes: Change[] = [];
  for (const [name, body] of is) {
    const old = was.get(name);
    if (old === undefined) changes.push({ name, kind: "added" });
    else if (old !== body) changes.push({ name, kind: "changed" });
  }
  for (const name of was.keys()) {
    if (!is.has(name)) changes.push({ name, kind: "removed" });
  }
  return changes.sort((a, b) => a.name.localeCompare(b.name));
}

export interface Line {
  text: string;
  kind: "same" | "added" | "removed";
}

/** The lines of two texts with what is new and what is gone, by their longest common sequence. */
export function linesOf(before: string, after: string): Line[] {
  const a = before === "" ? [] : before.split("\n");
  const b = after === "" ? [] : after.split("\n");
  const most = 1500;
  if (a.length > most || b.length > most) return [...a.map((text) => ({ text, kind: "removed" as const })), ...b.map((text) => ({ text, kind: "added" as const }))];
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i]![j] = a[i] === b[j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
    }
  }
  const out: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ text: a[i]!, kind: "same" });
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && lengths[i + 1]![j]! >= lengths[i]![j + 1]!)) {
      out.push({ text: a[i++]!, kind: "removed" });
    } else {
      out.push({ text: b[j++]!, kind: "added" });
    }
  }
  return out;
}

export const pretty = (value: unknown): string => (value === undefined || value === null ? "" : JSON.stringify(value, undefined, 2));
