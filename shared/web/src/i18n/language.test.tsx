import { act, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { LanguageProvider, useFormats, useWebMessages } from "./context";
import { applyLanguage, languageOf, setLanguage, useLanguage } from "./language";
import { LanguageChoice } from "./LanguageChoice";

afterEach(() => localStorage.clear());

const spring = Date.UTC(2026, 2, 1);
const none = { en: {}, de: {} };

function Page() {
  return <LanguageProvider language={useLanguage()} timeZone="UTC" texts={none}><Reader /></LanguageProvider>;
}

function Reader() {
  const t = useWebMessages();
  const { number, day } = useFormats();
  return <><p>{t("presence.ready")} {number(1234.5)} {day(spring)}</p><LanguageChoice /></>;
}

test("the browser's first language that there is here is shown", () => {
  expect(languageOf(["hr", "de-AT", "en"])).toBe("de");
  expect(languageOf(["fr-FR", "it"])).toBe("en");
  expect(languageOf([])).toBe("en");
});

test("another language changes sentences, numbers, dates and the document at once, and is kept", () => {
  setLanguage("en");
  render(<Page />);
  expect(screen.getByText("Ready 1,234.5 1 Mar 2026")).toBeTruthy();
  fireEvent.click(screen.getByRole("radio", { name: "Deutsch" }));
  expect(screen.getByText("Bereit 1.234,5 1. März 2026")).toBeTruthy();
  expect(document.documentElement.lang).toBe("de");
  document.documentElement.lang = "";
  act(applyLanguage);
  expect(document.documentElement.lang).toBe("de");
});
