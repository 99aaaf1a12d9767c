import type { Texts, Translation } from "@obedio/web";

const en = {
  "views.title": "Saved views",
  "views.save": "Save this view",
  "views.name": "Name",
  "views.shared": "For everybody",
  "views.own": "yours",
  "views.everybodys": "shared",
  "views.none": "No view is saved yet. Filter and sort the list, then save it here.",
  "views.remove": "Remove",
  "views.removed": "Removed",
  "views.saved": "Saved",
  "views.nothing": "no filter",
};

const de: Translation<typeof en> = {
  "views.title": "Gespeicherte Ansichten",
  "views.save": "Diese Ansicht speichern",
  "views.name": "Name",
  "views.shared": "Für alle",
  "views.own": "eigene",
  "views.everybodys": "geteilt",
  "views.none": "Noch keine Ansicht gespeichert. Liste filtern und sortieren, dann hier speichern.",
  "views.remove": "Entfernen",
  "views.removed": "Entfernt",
  "views.saved": "Gespeichert",
  "views.nothing": "kein Filter",
};

/** Views of a list that people keep. */
export const views: Texts<typeof en> = { en, de };
