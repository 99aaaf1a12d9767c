import { pluralsOf, type Texts, type Translation } from "@obedio/web";

const pluralEn = pluralsOf("en");
const pluralDe = pluralsOf("de");

const en = {
  "map.title": "Map",
  "map.label": "Sites at their last position",
  "map.sites": ({ n, shown }: { n: number; shown: string }) => `${shown} ${pluralEn(n, { one: "site", other: "sites" })} here`,
  "map.list": "Sites with a position",
  "map.none": "No site has a position yet",
  "map.none.detail": "Say on a site’s page, under Configuration, where it is.",
  "map.without": ({ n, shown }: { n: number; shown: string }) => `${shown} ${pluralEn(n, { one: "site has", other: "sites have" })} no position`,
  "map.at": "position of",
  "map.in": "Nearer",
  "map.out": "Farther",
  "map.whole": "The whole world",
  "map.hint": "Coastlines: Natural Earth. Positions are as somebody has said them, and may be old.",
};

const de: Translation<typeof en> = {
  "map.title": "Karte",
  "map.label": "Standorte an ihrer letzten Position",
  "map.sites": ({ n, shown }) => `${shown} ${pluralDe(n, { one: "Standort", other: "Standorte" })} hier`,
  "map.list": "Standorte mit Position",
  "map.none": "Noch kein Standort hat eine Position",
  "map.none.detail": "Auf der Seite eines Standorts unter Konfiguration angeben, wo er ist.",
  "map.without": ({ n, shown }) => `${shown} ${pluralDe(n, { one: "Standort hat", other: "Standorte haben" })} keine Position`,
  "map.at": "Position von",
  "map.in": "Näher",
  "map.out": "Weiter",
  "map.whole": "Die ganze Welt",
  "map.hint": "Küsten: Natural Earth. Positionen sind so, wie jemand sie angegeben hat, und können alt sein.",
};

/** Where sites are. */
export const map: Texts<typeof en> = { en, de };
