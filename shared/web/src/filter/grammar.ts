/** How a field's value is compared. */
export type FieldKind = "text" | "number";

/** What one field of a thing holds; several for tags, undefined when unknown. */
export type FieldValue = string | number | readonly string[] | undefined;

/** The fields that a list has, and the texts in which bare words are looked for. */
export interface FilterSchema<T> {
  fields: Readonly<Record<string, { kind: FieldKind; read: (item: T) => FieldValue }>>;
  text: (item: T) => readonly (string | undefined)[];
}

/** What is wrong with a filter, for the person who types it. */
export type FilterFault =
  | { kind: "unknown"; word: string }
  | { kind: "value"; word: string }
  | { kind: "number"; word: string };

export interface Filter<T> {
  matches: (item: T) => boolean;
  /** True when there is nothing to filter by. */
  empty: boolean;
  faults: readonly FilterFault[];
}

type Operator = "" | "<" | "<=" | ">" | ">=";

/** One condition. Values are alternatives, each as its pieces between stars, in lower case. */
export interface Term {
  negated: boolean;
  field: string | undefined;
  operator: Operator;
  values: readonly (readonly string[])[];
}

/**
 * Reads the one filter grammar of user interfaces, API and command line (the
 * programs' own parser is shared/rest/filter):
 *
 *   state:lost,late type:button room:cabin-1* battery:<20 -tag:spare word "two words"
 *
 * Terms must all match; commas part alternatives. While somebody is typing
 * nothing is an error: an unfinished quotation ends with the text.
 */
export function parseTerms(input: string): Term[] {
  const terms: Term[] = [];
  let at = 0;
  const blank = () => at >= input.length || /\s/.test(input[at]!);
  while (at < input.length) {
    if (blank()) {
      at++;
      continue;
    }
    const negated = input[at] === "-";
    if (negated) at++;
    if (blank()) continue;
    const name = /^([^:\s",*]+):/.exec(input.slice(at))?.[1];
    if (name !== undefined) at += name.length + 1;
    const operator = name === undefined ? "" : ((/^(<=|>=|<|>)/.exec(input.slice(at))?.[0] ?? "") as Operator);
    at += operator.length;
    const values: string[][] = [];
    let pieces = [""];
    while (!blank()) {
      const c = input[at++]!;
      if (c === '"') {
        for (; at < input.length && input[at] !== '"'; at++) {
          if (input[at] === "\\" && at + 1 < input.length) at++;
          pieces[pieces.length - 1] += input[at]!.toLowerCase();
        }
        at++;
      } else if (name !== undefined && c === ",") {
        values.push(pieces);
        pieces = [""];
      } else if (name !== undefined && c === "*") {
        pieces.push("");
      } else {
        pieces[pieces.length - 1] += c.toLowerCase();
      }
    }
    values.push(pieces);
    terms.push({ negated, field: name, operator, values: values.filter((v) => v.length > 1 || v[0] !== "") });
  }
  return terms;
}

export function formatTerms(terms: readonly Term[]): string {
  return terms
    .map(({ negated, field, operator, values }) => {
      const text = values.map((pieces) => pieces.map(quoteWhereNeeded).join("*")).join(",");
      return `${negated ? "-" : ""}${field === undefined ? "" : `${field}:${operator}`}${text}`;
    })
    .join(" ");
}

function quoteWhereNeeded(piece: string): string {
  return /[\s",*:<>=\\]|^-/.test(piece) ? `"${piece.replace(/["\\]/g, "\\$&")}"` : piece;
}

/** Makes a filter of what was typed. A term that is wrong is named in faults and otherwise left out. */
export function compileFilter<T>(schema: FilterSchema<T>, input: string): Filter<T> {
  const faults: FilterFault[] = [];
  const tests = parseTerms(input).flatMap((term) => {
    const test = compileTerm(schema, term, faults);
    if (!test) return [];
    return [term.negated ? (item: T) => !test(item) : test];
  });
  return { matches: (item) => tests.every((test) => test(item)), empty: tests.length === 0, faults };
}

function compileTerm<T>(schema: FilterSchema<T>, term: Term, faults: FilterFault[]): ((item: T) => boolean) | undefined {
  if (term.field === undefined) {
    const needle = term.values[0]?.[0];
    if (needle === undefined) return undefined;
    return (item) => schema.text(item).some((text) => text?.toLowerCase().includes(needle));
  }
  const field = Object.hasOwn(schema.fields, term.field) ? schema.fields[term.field] : undefined;
  if (!field) {
    faults.push({ kind: "unknown", word: term.field });
    return undefined;
  }
  if (term.values.length === 0) {
    faults.push({ kind: "value", word: term.field });
    return undefined;
  }
  const tests = term.values.map((pieces, i) => {
    if (field.kind === "number") return numberTest(term.operator, pieces);
    // Only numbers are compared: in a text < is a character like others.
    return textTest(i === 0 ? [term.operator + pieces[0]!, ...pieces.slice(1)] : pieces);
  });
  if (tests.some((test) => test === undefined)) {
    faults.push({ kind: "number", word: term.field });
    return undefined;
  }
  return (item) => {
    const value = field.read(item);
    if (value === undefined) return false;
    const held = typeof value === "object" ? value : [value];
    return held.some((v) => tests.some((test) => test!(v)));
  };
}

function numberTest(operator: Operator, pieces: readonly string[]): ((value: string | number) => boolean) | undefined {
  const bound = pieces.length === 1 ? Number(pieces[0]!.replace(/%$/, "")) : Number.NaN;
  if (!Number.isFinite(bound)) return undefined;
  switch (operator) {
    case "<":
      return (v) => Number(v) < bound;
    case "<=":
      return (v) => Number(v) <= bound;
    case ">":
      return (v) => Number(v) > bound;
    case ">=":
      return (v) => Number(v) >= bound;
    case "":
      return (v) => Number(v) === bound;
  }
}

function textTest(pieces: readonly string[]): (value: string | number) => boolean {
  if (pieces.length === 1) return (v) => String(v).toLowerCase() === pieces[0];
  const pattern = new RegExp(`^${pieces.map((p) => p.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`, "s");
  return (v) => pattern.test(String(v).toLowerCase());
}

const isValue = (pieces: readonly string[], value: string) => pieces.length === 1 && pieces[0] === value;

/** True when the filter asks for this value of this field; for chips. */
export function hasTerm(input: string, field: string, value: string): boolean {
  return parseTerms(input).some((t) => !t.negated && t.field === field && t.values.some((v) => isValue(v, value)));
}

/** Adds the value to the field's alternatives, or takes it away when it is there. */
export function toggleTerm(input: string, field: string, value: string): string {
  const terms = parseTerms(input);
  const mine = terms.find((t) => !t.negated && t.field === field && t.operator === "");
  if (!mine) return formatTerms([...terms, { negated: false, field, operator: "", values: [[value]] }]);
  const values = mine.values.some((v) => isValue(v, value))
    ? mine.values.filter((v) => !isValue(v, value))
    : [...mine.values, [value]];
  return formatTerms(terms.flatMap((t) => (t !== mine ? [t] : values.length > 0 ? [{ ...t, values }] : [])));
}
