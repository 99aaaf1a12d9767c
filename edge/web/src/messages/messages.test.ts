import { peopleEnglish as people } from "@obedio/web/people";
import { auditEnglish as auditSentences } from "@obedio/web/audit";
import { expect, test } from "vitest";
import { en } from "./en";

// A page's own sentence goes before a shared one of the same name.
test("no sentence of the hub stands in the place of a shared page's", () => {
  const own = new Set(Object.keys(en));
  expect([...Object.keys(people), ...Object.keys(auditSentences)].filter((k) => own.has(k))).toEqual([]);
});
