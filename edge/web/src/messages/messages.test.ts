import type { AnyTexts } from "@obedio/web";
import { auditTexts } from "@obedio/web/audit";
import { peopleTexts } from "@obedio/web/people";
import { expect, test } from "vitest";
import { hub } from "./hub";

const areas = import.meta.glob<Record<string, AnyTexts>>("./*.ts", { eager: true });

/** Areas that come with their pages; those of the first load are in hub. */
const later = [
  ...Object.values(areas).flatMap((file) => Object.values(file).filter((v) => "en" in v && "de" in v)),
  auditTexts, peopleTexts,
].filter((area) => area !== (hub as AnyTexts) && !Object.keys(area.en).every((key) => key in hub.en));

// A page's own sentence goes before one of the first load of the same name.
test("no area says something else under a key of the first load", () => {
  expect(later.length).toBeGreaterThan(4);
  expect(later.flatMap((area) => Object.keys(area.en)).filter((key) => key in hub.en)).toEqual([]);
});

test("no sentence was left in English by mistake", () => {
  // What is the same in both languages is a name, or a word that both have.
  const same = [hub, ...later].flatMap((area: AnyTexts) =>
    Object.entries(area.en).filter(([key, m]) => typeof m === "string" && m.includes(" ") && area.de[key] === m).map(([key]) => key),
  );
  expect(same.filter((key) => !key.endsWith("Hint") && !key.endsWith(".token"))).toEqual([]);
});
