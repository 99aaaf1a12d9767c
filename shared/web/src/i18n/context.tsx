import { createContext, useContext, useMemo, type ReactNode } from "react";
import { translator, type AnyTexts, type Messages, type Translate } from "./catalogue";
import { locales, type Language } from "./language";
import { sizeOf } from "./size";
import { web, type WebMessages } from "./web";

interface Reading {
  locale: string;
  timeZone: string | undefined;
  /** The sentences of the first load. */
  t: Translate<Messages>;
  /** Those with the sentences of an area that came later. */
  of: (area: AnyTexts) => Translate<Messages>;
}

function readingOf(language: Language, timeZone: string | undefined, texts: AnyTexts): Reading {
  // A list has many rows and one translator.
  const areas = new WeakMap<AnyTexts, Translate<Messages>>();
  return {
    locale: locales[language],
    timeZone,
    t: translator(texts[language], web[language]),
    of: (area) => {
      const known = areas.get(area) ?? translator<Messages>(area[language], texts[language], web[language]);
      areas.set(area, known);
      return known;
    },
  };
}

const LanguageContext = createContext<Reading>(readingOf("en", undefined, { en: {}, de: {} }));

export interface LanguageProviderProps {
  language: Language;
  /** IANA name of the site's time zone; the browser's own when absent. */
  timeZone?: string | undefined;
  /** The user interface's own sentences of the first load; the shared ones are added. */
  texts: AnyTexts;
  children: ReactNode;
}

export function LanguageProvider({ language, timeZone, texts, children }: LanguageProviderProps) {
  const value = useMemo(() => readingOf(language, timeZone, texts), [language, timeZone, texts]);
  return <LanguageContext value={value}>{children}</LanguageContext>;
}

/** The sentences of the shared components; each user interface types its own with useTranslate. */
export function useWebMessages(): Translate<WebMessages> {
  return useContext(LanguageContext).t as Translate<WebMessages>;
}

export function useTranslate<M extends Messages>(): Translate<M & WebMessages> {
  return useContext(LanguageContext).t as Translate<M & WebMessages>;
}

/** The sentences of pages that come later than the first load, with those of the first load. */
export function useSentences<A extends AnyTexts>(area: A): Translate<A["en"] & WebMessages> {
  return useContext(LanguageContext).of(area) as Translate<A["en"] & WebMessages>;
}

/** Numbers and times in the reader's language and the site's time zone; locale is for what has a form of its own. */
export function useFormats(): Formats {
  const { locale, timeZone } = useContext(LanguageContext);
  return formatsOf(locale, timeZone);
}

type Formats = ReturnType<typeof makeFormats>;

// Formatters are slow to make, and a list shows hundreds of times.
const formats = new Map<string, Formats>();

function formatsOf(locale: string, timeZone: string | undefined): Formats {
  const key = `${locale} ${timeZone ?? ""}`;
  const known = formats.get(key) ?? makeFormats(locale, timeZone);
  formats.set(key, known);
  return known;
}

function makeFormats(locale: string, timeZone: string | undefined) {
  const zone = timeZone ? { timeZone } : {};
  const full = new Intl.DateTimeFormat(locale, {
    weekday: "short", day: "numeric", month: "short", year: "numeric",
    hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short", ...zone,
  });
  const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", ...zone });
  const second = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", ...zone });
  const minute = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", ...zone });
  const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric", ...zone });
  const number = new Intl.NumberFormat(locale);
  return {
    locale,
    zone: timeZone,
    exact: (time: number) => full.format(time),
    day: (time: number) => day.format(time),
    minute: (time: number) => minute.format(time),
    clock: (time: number) => clock.format(time),
    time: (time: number) => second.format(time),
    number: (n: number) => number.format(n),
    bytes: (n: number) => {
      const { value, unit } = sizeOf(n);
      return `${number.format(value)} ${unit}`;
    },
    collator: new Intl.Collator(locale, { numeric: true, sensitivity: "base" }),
  };
}
