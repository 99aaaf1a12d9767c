import type { Content } from "./message";
import { parsed, textOf } from "./payload";

/** One difference: a field of JSON by its path, or a line. */
export interface Difference {
  what: string;
  before: string | undefined;
  now: string | undefined;
}

/** How many differences are told. */
const most = 200;

/** What a message says otherwise than the one before; undefined when they cannot be compared. */
export function differences(before: Content, now: Content): Difference[] | undefined {
  if (before.truncated || now.truncated) return undefined;
  const [old, next] = [parsed(before), parsed(now)];
  if (old && next) return compare(flat(old), flat(next));
  const [was, is] = [textOf(before), textOf(now)];
  if (was === undefined || is === undefined) return undefined;
  return compare(lines(was), lines(is));
}

function compare(old: Map<string, string>, next: Map<string, string>): Difference[] {
  const found: Difference[] = [];
  for (const what of new Set([...old.keys(), ...next.keys()])) {
    const [before, now] = [old.get(what), next.get(what)];
    if (before !== now) found.push({ what, before, now });
    if (found.length === most) break;
  }
  return found;
}

/** Each value of a document under its path: metadata.tags[0]. */
function flat(value: unknown, path = "", into = new Map<string, string>()): Map<string, string> {
  if (typeof value !== "object" || value === null || Object.keys(value).length === 0) into.set(path, JSON.stringify(value));
  else if (Array.isArray(value)) value.forEach((v, i) => flat(v, `${path}[${i}]`, into));
  else for (const [key, v] of Object.entries(value)) flat(v, path === "" ? key : `${path}.${key}`, into);
  return into;
}

function lines(text: string): Map<string, string> {
  return new Map(text.split("\n").map((line, i) => [String(i + 1), line]));
}
