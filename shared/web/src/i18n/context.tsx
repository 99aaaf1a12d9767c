import { createContext, useContext, useMemo, type ReactNode } from "react";
import { translator, type Messages, type Translate } from "./catalogue";
import { en, type WebMessages } from "./en";

interface Language {
  locale: string;
  timeZone: string | undefined;
  t: Translate<Messages>;
  /** The user interface's own messages, in the reader's language. */
  own: Messages;
}

const fallback: Language = { locale: "en-GB", timeZone: undefined, t: translator<Messages>(en), own: {} };
const LanguageContext = createContext<Language>(fallback);

export interface LanguageProviderProps {
  locale: string;
  /** IANA name of the site's time zone; the browser's own when absent. */
  timeZone?: string | undefined;
  /** The user interface's own messages; the shared ones are added. */
  messages: Messages;
  children: ReactNode;
}

export function LanguageProvider({ locale, timeZone, messages, children }: LanguageProviderProps) {
  const value = useMemo(
    () => ({ locale, timeZone, t: translator<Messages>({ ...en, ...messages }), own: messages }),
    [locale, timeZone, messages],
  );
  return <LanguageContext value={value}>{children}</LanguageContext>;
}

/** The sentences of the shared components; each user interface types its own with useTranslate. */
export function useWebMessages(): Translate<WebMessages> {
  return useContext(LanguageContext).t as Translate<WebMessages>;
}

export function useTranslate<M extends Messages>(): Translate<M & WebMessages> {
  return useContext(LanguageContext).t as Translate<M & WebMessages>;
}

/**
 * The sentences of pages that come later than the first load, with those of the
 * shared components. `english` is a catalogue beside those pages; another
 * language has the same keys among the user interface's own messages.
 */
export function useSentences<M extends Messages>(english: M): Translate<M & WebMessages> {
  const { own } = useContext(LanguageContext);
  return useMemo(() => translator<Messages>({ ...en, ...english, ...own }) as Translate<M & WebMessages>, [english, own]);
}

/** Numbers and times in the reader's language and the site's time zone; locale is for what has a form of its own. */
export function useFormats() {
  const { locale, timeZone } = useContext(LanguageContext);
  return useMemo(() => {
    const zone = timeZone ? { timeZone } : {};
    const full = new Intl.DateTimeFormat(locale, {
      weekday: "short", day: "numeric", month: "short", year: "numeric",
      hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short", ...zone,
    });
    const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", ...zone });
    const minute = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", ...zone });
    const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric", ...zone });
    const number = new Intl.NumberFormat(locale);
    return {
      locale,
      exact: (time: number) => full.format(time),
      day: (time: number) => day.format(time),
      minute: (time: number) => minute.format(time),
      clock: (time: number) => clock.format(time),
      number: (n: number) => number.format(n),
      collator: new Intl.Collator(locale, { numeric: true, sensitivity: "base" }),
    };
  }, [locale, timeZone]);
}
