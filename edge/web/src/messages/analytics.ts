import type { Texts, Translation } from "@obedio/web";

const reasonsEn: Record<string, string> = {
  off: "the hub did not run", paused: "the disk was filling", overflow: "more came than the disk took", failed: "the record could not be used", damaged: "what was written cannot be read",
};
const reasonsDe: Record<string, string> = {
  off: "der Hub lief nicht", paused: "der Speicher lief voll", overflow: "es kam mehr, als der Speicher schaffte", failed: "die Aufzeichnung war nicht benutzbar", damaged: "Geschriebenes ist nicht lesbar",
};

const en = {
  "analytics.title": "Traffic analytics",
  "analytics.range": "Time",
  "analytics.range.day": "24 hours",
  "analytics.range.week": "7 days",
  "analytics.range.month": "30 days",
  "analytics.asOf": "read",
  "analytics.refresh": "Read again",

  "analytics.totals": "In this time",
  "analytics.in": "From devices",
  "analytics.out": "To devices",
  "analytics.bytes": "Payload",
  "analytics.dropped": "Dropped",
  "analytics.denied": "Denied",
  "analytics.reconnects": "Reconnects",

  "analytics.volume": "Messages",
  "analytics.volume.of": ({ name }: { name: string }) => `Messages of ${name}`,
  "analytics.trouble": "Dropped and denied",
  "analytics.bucket": ({ minutes }: { minutes: number }) => (minutes < 60 ? `each ${minutes} min` : `each ${minutes / 60} h`),
  "analytics.chart": ({ title, first, a, second, b, gaps }: { title: string; first: string; a: string; second: string; b: string; gaps: number }) =>
    `${title}: ${first} ${a}, ${second} ${b}${gaps > 0 ? `; ${gaps} times are not wholly known` : ""}. The table has each number.`,
  "analytics.view": "View",
  "analytics.view.chart": "Chart",
  "analytics.view.table": "Table",
  "analytics.total": "All of it",
  "analytics.unknown": "Not known",
  "analytics.partly": ({ percent }: { percent: number }) => `${percent} % known`,
  "analytics.begins": "Begins",

  "analytics.gaps": "Not wholly known",
  "analytics.gap": ({ from, to, reason }: { from: string; to: string; reason: string }) => `${from} to ${to}: ${reasonsEn[reason] ?? reason}`,
  "analytics.lost": ({ n }: { n: string }) => `${n} messages are missing`,

  "analytics.top": "Top talkers",
  "analytics.by": "By",
  "analytics.by.device": "Device",
  "analytics.by.type": "Type",
  "analytics.by.room": "Room",
  "analytics.others": "All others",
  "analytics.hub": "the hub, or by hand",
  "analytics.nobody": "no device of this site",
  "analytics.show": ({ name }: { name: string }) => `Show ${name} in the chart`,
  "analytics.showAll": "Show all in the chart",

  "analytics.export": "Export",
  "analytics.export.csv": "CSV",
  "analytics.export.json": "JSON",
  "analytics.export.messages": "Every message (NDJSON)",
  "analytics.empty": "Nothing has passed in this time",
  "analytics.empty.detail": "Numbers appear here as soon as devices speak.",
};

const de: Translation<typeof en> = {
  "analytics.title": "Auswertung der Nachrichten",
  "analytics.range": "Zeitraum",
  "analytics.range.day": "24 Stunden",
  "analytics.range.week": "7 Tage",
  "analytics.range.month": "30 Tage",
  "analytics.asOf": "gelesen",
  "analytics.refresh": "Neu lesen",

  "analytics.totals": "In diesem Zeitraum",
  "analytics.in": "Von Geräten",
  "analytics.out": "An Geräte",
  "analytics.bytes": "Nutzdaten",
  "analytics.dropped": "Verworfen",
  "analytics.denied": "Abgewiesen",
  "analytics.reconnects": "Neu verbunden",

  "analytics.volume": "Nachrichten",
  "analytics.volume.of": ({ name }) => `Nachrichten von ${name}`,
  "analytics.trouble": "Verworfen und abgewiesen",
  "analytics.bucket": ({ minutes }) => (minutes < 60 ? `je ${minutes} min` : `je ${minutes / 60} h`),
  "analytics.chart": ({ title, first, a, second, b, gaps }) =>
    `${title}: ${first} ${a}, ${second} ${b}${gaps > 0 ? `; ${gaps} Zeiträume sind nicht ganz bekannt` : ""}. Die Tabelle hat jede Zahl.`,
  "analytics.view": "Ansicht",
  "analytics.view.chart": "Kurve",
  "analytics.view.table": "Tabelle",
  "analytics.total": "Insgesamt",
  "analytics.unknown": "Nicht bekannt",
  "analytics.partly": ({ percent }) => `${percent} % bekannt`,
  "analytics.begins": "Beginnt",

  "analytics.gaps": "Nicht ganz bekannt",
  "analytics.gap": ({ from, to, reason }) => `${from} bis ${to}: ${reasonsDe[reason] ?? reason}`,
  "analytics.lost": ({ n }) => `${n} Nachrichten fehlen`,

  "analytics.top": "Die meisten Nachrichten",
  "analytics.by": "Nach",
  "analytics.by.device": "Gerät",
  "analytics.by.type": "Art",
  "analytics.by.room": "Raum",
  "analytics.others": "Alle anderen",
  "analytics.hub": "der Hub oder von Hand",
  "analytics.nobody": "kein Gerät dieses Standorts",
  "analytics.show": ({ name }) => `${name} in der Kurve zeigen`,
  "analytics.showAll": "Alles in der Kurve zeigen",

  "analytics.export": "Export",
  "analytics.export.csv": "CSV",
  "analytics.export.json": "JSON",
  "analytics.export.messages": "Jede Nachricht (NDJSON)",
  "analytics.empty": "In diesem Zeitraum lief nichts durch",
  "analytics.empty.detail": "Zahlen stehen hier, sobald Geräte sprechen.",
};

/** Traffic over time. */
export const analytics: Texts<typeof en> = { en, de };
