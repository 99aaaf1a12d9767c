import { pluralsOf, spanIn, type Span, type Texts, type Translation } from "@obedio/web";

const pluralEn = pluralsOf("en");
const pluralDe = pluralsOf("de");

const en = {
  "health.title": "Sync health",
  "health.stalled": "Stalled",
  "health.outOfLine": "Hub and console disagree",
  "health.letters": "Dead letters",
  "health.letterSites": ({ n, shown }: { n: number; shown: string }) => `of ${shown} ${pluralEn(n, { one: "site", other: "sites" })}`,
  "health.conflicts": "Orders that came too late",
  "health.ok": "none",
  "health.sites": "sites",
  "health.ages": "Sites by the age of their data",
  "health.upto": ({ span }: { span: Span }) => `up to ${spanIn.en(span)}`,
  "health.older": "older",
  "health.unknown": "no data",
  "health.lanes": "What waits on the hubs",
  "health.lane": "Lane",
  "health.backlog": "Records",
  "health.with": "Sites",
  "health.taken": "Taken since the start",
  "health.troubled": "Sites to look at",
  "health.troubled.none": "Nothing waits, and nothing is wrong",
  "health.more": ({ n }: { n: string }) => `and ${n} more`,
  "health.col.site": "Site",
  "health.col.link": "Link state",
  "health.col.data": "Data as of",
  "health.col.moved": "Last moved",
  "health.col.wrong": "What is wrong",
  "health.lettersOf": ({ n }: { n: number }) => `${n} dead ${pluralEn(n, { one: "letter", other: "letters" })}`,
  "health.conflictsOf": ({ n }: { n: number }) => `${n} ${pluralEn(n, { one: "conflict", other: "conflicts" })}`,
};

const de: Translation<typeof en> = {
  "health.title": "Abgleich",
  "health.stalled": "Steckt fest",
  "health.outOfLine": "Hub und Konsole uneins",
  "health.letters": "Unzustellbares",
  "health.letterSites": ({ n, shown }) => `von ${shown} ${pluralDe(n, { one: "Standort", other: "Standorten" })}`,
  "health.conflicts": "Anweisungen, die zu spät kamen",
  "health.ok": "keine",
  "health.sites": "Standorte",
  "health.ages": "Standorte nach Alter ihrer Daten",
  "health.upto": ({ span }) => `bis ${spanIn.de(span)}`,
  "health.older": "älter",
  "health.unknown": "keine Daten",
  "health.lanes": "Was auf den Hubs wartet",
  "health.lane": "Spur",
  "health.backlog": "Einträge",
  "health.with": "Standorte",
  "health.taken": "Seit dem Start geholt",
  "health.troubled": "Standorte zum Ansehen",
  "health.troubled.none": "Nichts wartet, und nichts ist falsch",
  "health.more": ({ n }) => `und ${n} weitere`,
  "health.col.site": "Standort",
  "health.col.link": "Verbindung",
  "health.col.data": "Daten von",
  "health.col.moved": "Zuletzt bewegt",
  "health.col.wrong": "Was falsch ist",
  "health.lettersOf": ({ n }) => `${n} unzustellbar`,
  "health.conflictsOf": ({ n }) => `${n} ${pluralDe(n, { one: "Konflikt", other: "Konflikte" })}`,
};

/** How far the console is in sync with the hubs of all sites. */
export const health: Texts<typeof en> = { en, de };
