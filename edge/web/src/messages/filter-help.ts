import type { Texts, Translation } from "@obedio/web";

const en = {
  "filterHelp.title": "How to find devices",
  "filterHelp.lead": "All of what you type must fit. Words alone are looked for in names, ids and rooms. A comma is “or”, a star stands for any letters, a dash in front means “not”.",
  "filterHelp.examples": "Examples",
  "filterHelp.state": "Such as ready, sleeping, late, lost, disconnected, never_seen",
  "filterHelp.type": "One of button, watch, repeater, sensor",
  "filterHelp.room": "The room’s id or name",
  "filterHelp.battery": "Per cent: <20, >=80",
  "filterHelp.battery_days_left": "Days until it is empty, by its last days",
  "filterHelp.signal": "Strength in dBm: <-80",
  "filterHelp.via": "The repeater it was heard through",
  "filterHelp.tag": "One of its tags",
  "filterHelp.profile": "Its security profile",
  "filterHelp.firmware": "Its version: 1.4.*",
  "filterHelp.id": "Its device id",
  "filterHelp.name": "Its name",
};

const de: Translation<typeof en> = {
  "filterHelp.title": "So werden Geräte gefunden",
  "filterHelp.lead": "Alles Eingegebene muss passen. Wörter allein werden in Namen, IDs und Räumen gesucht. Ein Komma heißt „oder“, ein Stern steht für beliebige Zeichen, ein Strich davor heißt „nicht“.",
  "filterHelp.examples": "Beispiele",
  "filterHelp.state": "Etwa ready, sleeping, late, lost, disconnected, never_seen",
  "filterHelp.type": "Eines von button, watch, repeater, sensor",
  "filterHelp.room": "ID oder Name des Raums",
  "filterHelp.battery": "Prozent: <20, >=80",
  "filterHelp.battery_days_left": "Tage, bis sie leer ist, nach den letzten Tagen",
  "filterHelp.signal": "Feldstärke in dBm: <-80",
  "filterHelp.via": "Der Repeater, über den es gehört wurde",
  "filterHelp.tag": "Eines der Tags",
  "filterHelp.profile": "Das Sicherheitsprofil",
  "filterHelp.firmware": "Die Version: 1.4.*",
  "filterHelp.id": "Die Geräte-ID",
  "filterHelp.name": "Der Name",
};

/** What can be typed to find devices. */
export const filterHelp: Texts<typeof en> = { en, de };
