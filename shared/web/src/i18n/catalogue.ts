/** A sentence, or a function that makes one from its parts. */
// oxlint-disable-next-line typescript/no-explicit-any -- each message has its own parameters
export type Message = string | ((parts: any) => string);

/** Sentences by key, for one language. The English ones are the shape for all others. */
export type Messages = Readonly<Record<string, Message>>;

/** What a second language must have: the same keys, with the same parts. */
export type Translation<M extends Messages> = {
  readonly [K in keyof M]: M[K] extends (parts: infer P) => string ? (parts: P) => string : string;
};

/** The sentences of one area of the pages in every language that there is. */
export interface Texts<M extends Messages> {
  readonly en: M;
  readonly de: Translation<M>;
}

/** Sentences of any area. */
export type AnyTexts = Readonly<Record<keyof Texts<Messages>, Messages>>;

type Parts<M> = M extends (parts: infer P) => string ? [parts: P] : [];

/** Returns the sentence of a key. */
export type Translate<M extends Messages> = <K extends keyof M & string>(key: K, ...parts: Parts<M[K]>) => string;

/** Looks a key up in one catalogue after the other. */
export function translator<M extends Messages>(...catalogues: Messages[]): Translate<M> {
  return (key, ...parts) => {
    const message: Message | undefined = catalogues.find((c) => key in c)?.[key];
    if (message === undefined) return key;
    return typeof message === "string" ? message : message(parts[0]);
  };
}

/** Picks the word for a count by the rules of a language: pluralsOf("en")(1, { one: "device", other: "devices" }). */
export function pluralsOf(locale: string): (n: number, words: { one: string; few?: string; many?: string; other: string }) => string {
  const rules = new Intl.PluralRules(locale);
  return (n, words) => {
    const rule = rules.select(n);
    return (rule === "one" || rule === "few" || rule === "many" ? words[rule] : undefined) ?? words.other;
  };
}
