import { pluralsOf, type Texts, type Translation } from "@obedio/web";

const pluralEn = pluralsOf("en");
const pluralDe = pluralsOf("de");

const en = {
  "search.title": "Devices",
  "search.filter": "Search devices of all sites",
  "search.hint": "btn-001 or type:watch state:lost battery:<20 site:yacht-*",
  "search.found": ({ shown, more }: { shown: string; more: boolean }) => (more ? `${shown} and more` : shown),
  "search.empty": "No device matches",
  "search.empty.detail": "Search by id, name or room, or by field: state, type, room, site, battery, tag, firmware.",
  "search.none": "No devices yet",
  "search.none.detail": "Devices appear when the hubs have told of them.",
  "search.more": "Show more",
  "search.col.site": "Site",
  "search.col.asOf": "As of",
  "search.choose": ({ id }: { id: string }) => `Choose ${id}`,
  "search.chooseAll": "Choose all that are shown",
  "search.job": ({ n, shown }: { n: number; shown: string }) => `Command for ${shown} ${pluralEn(n, { one: "device", other: "devices" })}`,
  "search.jobAll": "Command for all that match",
  "search.clear": "Choose none",
  "search.searching": "Searching",
};

const de: Translation<typeof en> = {
  "search.title": "Geräte",
  "search.filter": "Geräte aller Standorte suchen",
  "search.hint": "btn-001 oder type:watch state:lost battery:<20 site:yacht-*",
  "search.found": ({ shown, more }) => (more ? `${shown} und mehr` : shown),
  "search.empty": "Kein Gerät passt",
  "search.empty.detail": "Suchen nach Kennung, Name oder Raum, oder nach Feld: state, type, room, site, battery, tag, firmware.",
  "search.none": "Noch keine Geräte",
  "search.none.detail": "Geräte erscheinen, sobald die Hubs von ihnen erzählt haben.",
  "search.more": "Mehr zeigen",
  "search.col.site": "Standort",
  "search.col.asOf": "Stand",
  "search.choose": ({ id }) => `${id} wählen`,
  "search.chooseAll": "Alle gezeigten wählen",
  "search.job": ({ n, shown }) => `Befehl für ${shown} ${pluralDe(n, { one: "Gerät", other: "Geräte" })}`,
  "search.jobAll": "Befehl für alle, die passen",
  "search.clear": "Keine wählen",
  "search.searching": "Wird gesucht",
};

/** Devices of all sites. */
export const devices: Texts<typeof en> = { en, de };
