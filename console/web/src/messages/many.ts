import { pluralsOf, type Texts, type Translation } from "@obedio/web";

const pluralEn = pluralsOf("en");
const pluralDe = pluralsOf("de");

const en = {
  "many.lead": "Each with its claim.",
  "many.columns": "The first line names the columns; only site_id is needed:",
  "many.choose": "Choose a CSV file",
  "many.add": ({ n }: { n: number }) => `Add ${n} ${pluralEn(n, { one: "site", other: "sites" })}`,
  "many.claims": "Download all claims",
  "many.state.waiting": "To be added",
  "many.state.added": "Added",
  "many.state.failed": "Not added",
  "many.wrong.header": ({ line }: { line: number }) => `Line ${line}: the columns have no site_id`,
  "many.wrong.id": ({ line }: { line: number }) => `Line ${line}: the site_id has other characters than letters, digits, dot, dash and underscore, or none`,
  "many.wrong.twice": ({ line }: { line: number }) => `Line ${line}: the site_id was named before`,
  "many.wrong.profile": ({ line }: { line: number }) => `Line ${line}: link_profile is default, economy or crisis`,
};

const de: Translation<typeof en> = {
  "many.lead": "Jeder mit seiner Kopplung.",
  "many.columns": "Die erste Zeile nennt die Spalten; nötig ist nur site_id:",
  "many.choose": "CSV-Datei wählen",
  "many.add": ({ n }) => `${n} ${pluralDe(n, { one: "Standort", other: "Standorte" })} anlegen`,
  "many.claims": "Alle Kopplungen laden",
  "many.state.waiting": "Wird angelegt",
  "many.state.added": "Angelegt",
  "many.state.failed": "Nicht angelegt",
  "many.wrong.header": ({ line }) => `Zeile ${line}: Die Spalten haben keine site_id`,
  "many.wrong.id": ({ line }) => `Zeile ${line}: Die site_id hat andere Zeichen als Buchstaben, Ziffern, Punkt, Strich und Unterstrich, oder keine`,
  "many.wrong.twice": ({ line }) => `Zeile ${line}: Die site_id kam schon vor`,
  "many.wrong.profile": ({ line }) => `Zeile ${line}: link_profile ist default, economy oder crisis`,
};

/** Many sites from a file. */
export const many: Texts<typeof en> = { en, de };
