import type { Texts, Translation } from "@obedio/web";

const en = {
  "settings.title": "Settings",
  "settings.screen": "This screen",
  "settings.console": "This console",
  "settings.id": "Console id",
  "settings.epoch": "Epoch",
  "settings.epochHint": "It changes when the console is restored from a backup.",
  "settings.version": "Version",
  "settings.started": "Started",
  "settings.storage": "Store on disk",
  "settings.link": "Hub link",
  "settings.root": "Fleet root, SHA-256",
  "settings.programs": "For programs",
  "settings.docs": "API, with all its routes",
  "settings.openapi": "OpenAPI document",
  "settings.tokens": "API tokens",
  "settings.exports": "Exports",
  "settings.sites": "All sites, CSV",
  "settings.usage": "Bytes of each site and day, CSV",
  "settings.limits": "Limits, intervals and the mail server are settings of the program: obedio-console serve --help names them.",
};

const de: Translation<typeof en> = {
  "settings.title": "Einstellungen",
  "settings.screen": "Dieser Bildschirm",
  "settings.console": "Diese Konsole",
  "settings.id": "Konsolen-Kennung",
  "settings.epoch": "Epoche",
  "settings.epochHint": "Sie wechselt, wenn die Konsole aus einer Sicherung wiederhergestellt wird.",
  "settings.version": "Version",
  "settings.started": "Gestartet",
  "settings.storage": "Speicher auf der Platte",
  "settings.link": "Hub-Verbindung",
  "settings.root": "Wurzel der Flotte, SHA-256",
  "settings.programs": "Für Programme",
  "settings.docs": "API mit allen Routen",
  "settings.openapi": "OpenAPI-Dokument",
  "settings.tokens": "API-Token",
  "settings.exports": "Exporte",
  "settings.sites": "Alle Standorte, CSV",
  "settings.usage": "Datenmenge je Standort und Tag, CSV",
  "settings.limits": "Grenzen, Abstände und der Mailserver sind Einstellungen des Programms: obedio-console serve --help nennt sie.",
};

/** Settings of the screen, and what this console is. */
export const settings: Texts<typeof en> = { en, de };
