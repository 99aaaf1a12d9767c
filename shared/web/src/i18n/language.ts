import { useSyncExternalStore } from "react";
import type { Texts } from "./catalogue";

export type Language = keyof Texts<Record<string, string>>;

/** Each language under the name that its speakers know it by. */
export const languages: Readonly<Record<Language, string>> = { en: "English", de: "Deutsch" };

/** How dates and numbers are written. */
export const locales: Readonly<Record<Language, string>> = { en: "en-GB", de: "de-DE" };

const storageKey = "obedio.language";
const readers = new Set<() => void>();

function isLanguage(value: string | null | undefined): value is Language {
  return value === "en" || value === "de";
}

/** The first of what the browser's person reads that there is here; English when there is none. */
export function languageOf(wanted: readonly string[]): Language {
  return wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find(isLanguage) ?? "en";
}

function stored(): Language {
  try {
    const value = localStorage.getItem(storageKey);
    if (isLanguage(value)) return value;
  } catch {
    // Storage may be forbidden; what the browser says is then as good.
  }
  return languageOf(navigator.languages);
}

/** Sets the document's language to the chosen one; called once before the first render. */
export function applyLanguage(): void {
  document.documentElement.lang = stored();
}

export function setLanguage(language: Language): void {
  try {
    localStorage.setItem(storageKey, language);
  } catch {
    // As above: the choice then lasts as long as the page.
  }
  document.documentElement.lang = language;
  for (const reader of readers) reader();
}

/** The language that this browser shows. */
export function useLanguage(): Language {
  return useSyncExternalStore(
    (reader) => {
      readers.add(reader);
      return () => readers.delete(reader);
    },
    () => (isLanguage(document.documentElement.lang) ? document.documentElement.lang : "en"),
  );
}
