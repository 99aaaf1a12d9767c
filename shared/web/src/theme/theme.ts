import { useSyncExternalStore } from "react";

export const themes = ["dark", "light", "night"] as const;
export type Theme = (typeof themes)[number];

const storageKey = "obedio.theme";
const readers = new Set<() => void>();

function stored(): Theme {
  try {
    const value = localStorage.getItem(storageKey);
    return themes.find((t) => t === value) ?? "dark";
  } catch {
    // Storage may be forbidden; the default is then as good.
    return "dark";
  }
}

function show(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  const page = getComputedStyle(document.documentElement).getPropertyValue("--color-ink-900").trim();
  document.querySelector('meta[name="theme-color"]')?.setAttribute("content", page || "#0f172a");
}

/** Shows the chosen theme; called once before the first render. */
export function applyTheme(): void {
  show(stored());
}

export function setTheme(theme: Theme): void {
  try {
    localStorage.setItem(storageKey, theme);
  } catch {
    // As above: the choice then lasts as long as the page.
  }
  show(theme);
  for (const reader of readers) reader();
}

export function useTheme(): Theme {
  return useSyncExternalStore(
    (reader) => {
      readers.add(reader);
      return () => readers.delete(reader);
    },
    () => themes.find((t) => t === document.documentElement.dataset.theme) ?? "dark",
  );
}
