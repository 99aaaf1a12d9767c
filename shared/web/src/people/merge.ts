import type { User, UserChange } from "./types";

/** A field that somebody else has changed; `mine` when the form has changed it too, to something else. */
export interface Clash {
  field: keyof UserChange;
  theirs: UserChange[keyof UserChange];
  mine?: UserChange[keyof UserChange];
}

export function changeOf(user: User): UserChange {
  return { name: user.name, role: user.role, ...(user.sites ? { sites: user.sites } : {}), disabled: user.disabled };
}

const fields = ["name", "role", "sites", "disabled"] as const;

/**
 * The form after somebody else was faster: what only they have changed is
 * theirs, what the form has changed stays, and `clashes` say what there is to
 * look at.
 */
export function rebase(base: UserChange, mine: UserChange, theirs: UserChange): { form: UserChange; clashes: Clash[] } {
  const form: UserChange = { ...theirs };
  const clashes: Clash[] = [];
  for (const field of fields) {
    const changedHere = !same(mine[field], base[field]);
    if (changedHere) set(form, field, mine[field]);
    if (same(theirs[field], base[field])) continue;
    if (!changedHere) clashes.push({ field, theirs: theirs[field] });
    else if (!same(mine[field], theirs[field])) clashes.push({ field, theirs: theirs[field], mine: mine[field] });
  }
  return { form, clashes };
}

function set(form: UserChange, field: keyof UserChange, value: unknown): void {
  if (value === undefined) delete form[field as "sites"];
  else (form as unknown as Record<string, unknown>)[field] = value;
}

function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && [...a].sort().every((x, i) => x === [...b].sort()[i]);
  return a === b;
}
