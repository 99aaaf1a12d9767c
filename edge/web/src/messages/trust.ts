import type { Texts, Translation } from "@obedio/web";
import type { TrustItem } from "../api/resources";

type Said = { item: TrustItem; ago: (at: string) => string };

/** What is counted, as the hub tells it. */
const of = (item: TrustItem, key: string) => item.detail[key] ?? "?";

const sourceEn: Record<string, string> = {
  unset: "nobody", floor: "the last time that it knew", rtc: "the board’s clock", ntp: "a time server", console: "the console", operator: "a person",
};
const sourceDe: Record<string, string> = {
  unset: "niemandem", floor: "der letzten bekannten Zeit", rtc: "der Uhr der Platine", ntp: "einem Zeitserver", console: "der Konsole", operator: "einer Person",
};

// The hub says it in English; what reads badly there is said here.
function knownEn({ item, ago }: Said): string {
  if (item.id === "clock" && item.detail["source"]) return `${item.state === "ok" ? "The time is from" : "The hub is not sure what time it is; it has it from"} ${sourceEn[item.detail["source"]] ?? item.detail["source"]}.`;
  if (item.id === "backups" && item.detail["newest"]) return `The newest was made ${ago(item.detail["newest"])}.`;
  if (item.id === "broker" && item.state === "ok" && item.detail["connected"] === "1") return "1 client is connected.";
  if (item.id === "alerts" && Object.values(item.detail).reduce((sum, v) => sum + Number(v), 0) === 1) return "One stands.";
  return item.text;
}

function knownDe({ item, ago }: Said): string {
  const n = (key: string) => of(item, key);
  switch (item.id) {
    case "broker":
      if (item.state === "bad") return "Er nimmt keine Verbindungen an.";
      if (item.state === "ok" && n("connected") === "1") return "1 Gerät oder Programm ist verbunden.";
      return item.state === "unknown" ? "Kein Gerät ist angelegt: Nichts zeigt, dass er läuft." : item.state === "warn" ? "Kein Gerät ist verbunden." : `${n("connected")} Geräte und Programme sind verbunden.`;
    case "storage":
      if (item.detail["level"] === "ok") return item.state === "ok" ? "Alles wird gespeichert." : item.text;
      return item.state === "bad" ? "Der Speicher ist fast voll: Nur Rufe und Befehle werden noch gespeichert." : "Der Speicher wird voll.";
    case "clock": {
      const source = sourceDe[n("source")] ?? n("source");
      return item.state === "ok" ? `Die Zeit ist von ${source}.` : `Die Zeit ist nicht bestätigt; sie ist von ${source}.`;
    }
    case "uplink":
      return {
        none: "Der Hub gehört zu keiner Konsole und braucht keine.", online: "Die Konsole ist da.", connecting: "Die Konsole war noch nicht erreicht.",
        offline: "Die Konsole ist nicht erreichbar.", refused: "Die Konsole weist diesen Hub ab.",
      }[n("state")] ?? item.text;
    case "backups":
      if (item.detail["newest"]) return `Die neueste ist ${ago(item.detail["newest"])} entstanden.`;
      return item.state === "unknown" ? "Dieser Hub macht keine Sicherungen." : "Es gibt keine.";
    case "devices": {
      if (n("total") === "0") return "Kein Gerät ist angelegt.";
      if (item.state === "ok" && n("total") === "1") return "Das eine ist da.";
      if (item.state === "ok") return `Alle ${n("total")} sind da.`;
      const away = Number(n("lost")) + Number(n("late")) + Number(n("disconnected"));
      return item.state === "unknown" ? "Von keinem Gerät war je etwas zu hören." : `${away} von ${n("total")} sind nicht da, ${n("never_seen")} waren nie zu hören.`;
    }
    case "watches":
      return n("total") === "0" ? "Keine Uhr ist angelegt: Rufe klingeln nur auf Bildschirmen." : `${n("reachable")} von ${n("total")} können Rufe melden.`;
    case "self_test":
      if (n("zones") === "0") return "Noch kein Proberuf.";
      if (n("failed") !== "0") return `In ${n("failed")} von ${n("zones")} Zonen kam ein Proberuf bei keiner Uhr an.`;
      return item.state === "ok" ? "In jeder Zone kam ein Proberuf bei einer Uhr an." : "Der letzte Proberuf ist zu lange her.";
    case "audit":
      return item.state === "ok" ? "Es ist, wie es geschrieben wurde." : item.state === "unknown" ? "Es wurde noch nicht durchgelesen." : "Es ist nicht, wie es geschrieben wurde.";
    case "notifications":
      if (n("failed") !== "0") return `${n("failed")} kamen am letzten Tag nicht an.`;
      if (n("waiting") !== "0") return `${n("waiting")} warten auf das Netz.`;
      return n("rules") === "0" ? "Es gibt keine Regeln: Draußen erfährt niemand etwas." : "Am letzten Tag ging keine verloren.";
    case "alerts": {
      const all = Object.values(item.detail).reduce((sum, v) => sum + Number(v), 0);
      return all === 0 ? "Keine steht an." : all === 1 ? "Eine steht an." : `${all} stehen an.`;
    }
    case "updates":
      return `Version ${n("version")}; ob es eine neuere gibt, ist hier nicht bekannt.`;
  }
}

const doDe: Record<TrustItem["id"], string> = {
  broker: "Das WLAN und seine Access Points ansehen; sonst den Hub neu starten.",
  storage: "Alte Sicherungen entfernen oder weniger Nachrichten aufbewahren.",
  clock: "Die Zeit stellen oder den Hub mit einem Zeitserver verbinden.",
  uplink: "Der Standort läuft auch ohne; die Seite der Landverbindung sagt mehr.",
  backups: "Eine Sicherung machen und anderswo aufheben.",
  devices: "Die fehlenden Geräte ansehen.",
  watches: "Eine Uhr anlegen oder an einem Bildschirm bleiben.",
  self_test: "Einen Taster drücken und hören, ob es klingelt.",
  audit: "Den Speicher lassen, wie er ist, und klären, wer Zugang hatte.",
  notifications: "Die Einstellungen der Benachrichtigungen ansehen.",
  alerts: "Jede ansehen und quittieren.",
  updates: "",
};

// The hub says it in English.
function whyDe(why: string): string {
  const watch = /^watch (\S+) does not answer$/.exec(why)?.[1];
  if (watch) return `Die Uhr ${watch} antwortet nicht.`;
  return { "no watch is registered": "Keine Uhr ist angelegt.", "no watch can be reached": "Keine Uhr ist erreichbar." }[why] ?? why;
}

const en = {
  "trust.title": "Trust",
  "trust.all.ok": "This hub can be relied on",
  "trust.all.unknown": "Not everything is known",
  "trust.all.warn": "Something needs a look",
  "trust.all.bad": "Do not rely on it",
  "trust.all.ok.detail": "Everything that is looked at is as it should be.",
  "trust.all.unknown.detail": "Nothing is known to be wrong, and something is not proven. What is not known is never green.",
  "trust.all.warn.detail": "Nothing that is known stands in the way of calls. What is below should not stay so.",
  "trust.all.bad.detail": "Calls may not be answered, or records may be lost. Begin with what is red.",
  "trust.asOf": "as of",
  "trust.since": "for",
  "trust.counts.not": "for your information",
  "trust.state.ok": "Good",
  "trust.state.unknown": "Not known",
  "trust.state.warn": "Look",
  "trust.state.bad": "Bad",
  "trust.item.broker": "Message broker",
  "trust.item.storage": "Storage",
  "trust.item.clock": "Clock",
  "trust.item.uplink": "Shore link",
  "trust.item.backups": "Backups",
  "trust.item.devices": "Devices",
  "trust.item.watches": "Watches",
  "trust.item.self_test": "Test call",
  "trust.item.audit": "Audit",
  "trust.item.notifications": "Notifications",
  "trust.item.alerts": "Alerts",
  "trust.item.updates": "Updates",
  "trust.known": (said: Said) => knownEn(said),
  "trust.do": ({ item }: { item: TrustItem }) => item.action ?? "",
  "trust.alerts": ({ n }: { n: number }) => (n === 1 ? "1 alert" : `${n} alerts`),
  "trust.evidence": "Evidence",
  "trust.evidence.of": ({ name }: { name: string }) => `Evidence: ${name}`,
  "trust.open": "Open",
  "trust.open.of": ({ name }: { name: string }) => `Open ${name}`,
  "trust.detail.connected": "Connected",
  "trust.detail.messages_in": "Messages in",
  "trust.detail.messages_out": "Messages out",
  "trust.detail.level": "Level",
  "trust.detail.free_bytes": "Free",
  "trust.detail.total_bytes": "Size",
  "trust.detail.source": "Source",
  "trust.detail.state": "Link",
  "trust.detail.last_error": "Last error",
  "trust.detail.backlog": "Waits for shore",
  "trust.detail.newest": "Newest",
  "trust.detail.total": "All",
  "trust.detail.lost": "Lost",
  "trust.detail.late": "Late",
  "trust.detail.disconnected": "Disconnected",
  "trust.detail.never_seen": "Never heard",
  "trust.detail.reachable": "Reachable",
  "trust.detail.zones": "Zones",
  "trust.detail.failed": "Failed",
  "trust.detail.waiting": "Waiting",
  "trust.detail.rules": "Rules",
  "trust.detail.version": "Version",

  "selfTest.title": "Test call in each zone",
  "selfTest.detail": "The hub opens a call in each zone, has a watch answer a message that it does not show, and ends the call. Nobody hears it.",
  "selfTest.every": ({ span }: { span: string }) => `by itself every ${span}`,
  "selfTest.never": "only when somebody asks",
  "selfTest.try": "Try now",
  "selfTest.tried": ({ n }: { n: number }) => (n === 0 ? "There is no zone to try" : n === 1 ? "It came through in the one zone" : `It came through in all ${n} zones`),
  "selfTest.none": "No test call was made yet",
  "selfTest.zone": "Zone",
  "selfTest.zone.none": "No zone",
  "selfTest.room": "From",
  "selfTest.result": "Result",
  "selfTest.ok": "Came through",
  "selfTest.failed": "Did not come through",
  "selfTest.why": ({ why }: { why: string }) => `${why.charAt(0).toUpperCase()}${why.slice(1)}.`,
  "selfTest.when": "When",
  "selfTest.watch": "Watch",
  "selfTest.ms": ({ stored, answered }: { stored: string; answered: string | undefined }) => `Stored in ${stored} ms${answered ? `, answered after ${answered} ms` : ""}`,

  "backups.title": "Backups",
  "backups.none": "There is no backup on the hub",
  "backups.none.detail": "A backup holds everything but the record of messages. Keep it elsewhere: on the hub it does not help when the hub burns.",
  "backups.make": "Make a backup",
  "backups.made": "The backup is made",
  "backups.lock": "How it is protected",
  "backups.lock.passphrase": "Passphrase",
  "backups.lock.recipients": "The hub’s key",
  "backups.lock.plain": "Not at all",
  "backups.passphrase": "Passphrase",
  "backups.passphrase.hint": "At least 8 characters. Without it nobody can restore the backup, the maker included.",
  "backups.passphrase.again": "Once more",
  "backups.passphrase.differs": "The two are not the same.",
  "backups.passphrase.short": "It is too short.",
  "backups.recipients.hint": "For whom the hub was told to encrypt (--backup-recipient).",
  "backups.plain.hint": "Whoever has the file has the site’s keys and the verifiers of all passwords.",
  "backups.traffic": "With the record of messages",
  "backups.traffic.hint": "It can be many times as large.",
  "backups.download": "Download",
  "backups.download.of": ({ name }: { name: string }) => `Download ${name}`,
  "backups.remove": "Remove",
  "backups.remove.of": ({ name }: { name: string }) => `Remove ${name}`,
  "backups.remove.ask": "Remove this backup?",
  "backups.remove.detail": ({ name }: { name: string }) => `${name} is gone then. A copy that was downloaded stays.`,
  "backups.removed": "The backup is removed",
  "backups.encrypted": "encrypted",
  "backups.open": "not encrypted",

  "support.title": "For those who help",
  "support.detail": "A zip with the hub’s state, settings, log and counters. It holds no secret and no name of a person; that it was made is in the audit.",
  "support.download": "Download the support bundle",
};

const de: Translation<typeof en> = {
  "trust.title": "Verlass",
  "trust.all.ok": "Auf diesen Hub ist Verlass",
  "trust.all.unknown": "Nicht alles ist bekannt",
  "trust.all.warn": "Etwas braucht einen Blick",
  "trust.all.bad": "Darauf ist kein Verlass",
  "trust.all.ok.detail": "Alles, was geprüft wird, ist, wie es sein soll.",
  "trust.all.unknown.detail": "Nichts ist als falsch bekannt, und etwas ist nicht bewiesen. Unbekanntes ist nie grün.",
  "trust.all.warn.detail": "Rufen steht nichts Bekanntes im Weg. Was unten steht, sollte nicht so bleiben.",
  "trust.all.bad.detail": "Rufe könnten unbeantwortet bleiben oder Aufzeichnungen verloren gehen. Mit dem Roten anfangen.",
  "trust.asOf": "Stand",
  "trust.since": "seit",
  "trust.counts.not": "zur Kenntnis",
  "trust.state.ok": "Gut",
  "trust.state.unknown": "Unbekannt",
  "trust.state.warn": "Ansehen",
  "trust.state.bad": "Schlecht",
  "trust.item.broker": "Broker",
  "trust.item.storage": "Speicher",
  "trust.item.clock": "Uhr des Hubs",
  "trust.item.uplink": "Landverbindung",
  "trust.item.backups": "Sicherungen",
  "trust.item.devices": "Geräte",
  "trust.item.watches": "Uhren",
  "trust.item.self_test": "Proberuf",
  "trust.item.audit": "Protokoll",
  "trust.item.notifications": "Benachrichtigungen",
  "trust.item.alerts": "Warnungen",
  "trust.item.updates": "Aktualisierungen",
  "trust.known": (said) => knownDe(said),
  "trust.do": ({ item }) => (item.action ? doDe[item.id] : ""),
  "trust.alerts": ({ n }) => (n === 1 ? "1 Warnung" : `${n} Warnungen`),
  "trust.evidence": "Belege",
  "trust.evidence.of": ({ name }) => `Belege: ${name}`,
  "trust.open": "Öffnen",
  "trust.open.of": ({ name }) => `${name} öffnen`,
  "trust.detail.connected": "Verbunden",
  "trust.detail.messages_in": "Nachrichten herein",
  "trust.detail.messages_out": "Nachrichten hinaus",
  "trust.detail.level": "Stufe",
  "trust.detail.free_bytes": "Frei",
  "trust.detail.total_bytes": "Größe",
  "trust.detail.source": "Quelle",
  "trust.detail.state": "Verbindung",
  "trust.detail.last_error": "Letzter Fehler",
  "trust.detail.backlog": "Wartet auf Land",
  "trust.detail.newest": "Neueste",
  "trust.detail.total": "Alle",
  "trust.detail.lost": "Verloren",
  "trust.detail.late": "Verspätet",
  "trust.detail.disconnected": "Getrennt",
  "trust.detail.never_seen": "Nie gehört",
  "trust.detail.reachable": "Erreichbar",
  "trust.detail.zones": "Zonen",
  "trust.detail.failed": "Misslungen",
  "trust.detail.waiting": "Wartend",
  "trust.detail.rules": "Regeln",
  "trust.detail.version": "Version",

  "selfTest.title": "Proberuf in jeder Zone",
  "selfTest.detail": "Der Hub öffnet in jeder Zone einen Ruf, lässt eine Uhr eine Nachricht beantworten, die sie nicht zeigt, und beendet den Ruf. Niemand hört etwas.",
  "selfTest.every": ({ span }) => `von selbst alle ${span}`,
  "selfTest.never": "nur auf Wunsch",
  "selfTest.try": "Jetzt versuchen",
  "selfTest.tried": ({ n }) => (n === 0 ? "Es gibt keine Zone" : n === 1 ? "In der einen Zone kam er an" : `In allen ${n} Zonen kam er an`),
  "selfTest.none": "Noch kein Proberuf",
  "selfTest.zone": "Zone",
  "selfTest.zone.none": "Ohne Zone",
  "selfTest.room": "Von",
  "selfTest.result": "Ergebnis",
  "selfTest.ok": "Kam an",
  "selfTest.failed": "Kam nicht an",
  "selfTest.why": ({ why }) => whyDe(why),
  "selfTest.when": "Wann",
  "selfTest.watch": "Uhr",
  "selfTest.ms": ({ stored, answered }) => `Gespeichert in ${stored} ms${answered ? `, beantwortet nach ${answered} ms` : ""}`,

  "backups.title": "Sicherungen",
  "backups.none": "Auf dem Hub liegt keine Sicherung",
  "backups.none.detail": "Eine Sicherung hat alles außer den aufgezeichneten Nachrichten. Anderswo aufheben: Auf dem Hub hilft sie nicht, wenn er verbrennt.",
  "backups.make": "Sicherung machen",
  "backups.made": "Die Sicherung ist gemacht",
  "backups.lock": "Wie sie geschützt ist",
  "backups.lock.passphrase": "Passphrase",
  "backups.lock.recipients": "Schlüssel des Hubs",
  "backups.lock.plain": "Gar nicht",
  "backups.passphrase": "Passphrase",
  "backups.passphrase.hint": "Mindestens 8 Zeichen. Ohne sie stellt niemand die Sicherung wieder her, auch nicht, wer sie gemacht hat.",
  "backups.passphrase.again": "Noch einmal",
  "backups.passphrase.differs": "Die beiden sind nicht gleich.",
  "backups.passphrase.short": "Sie ist zu kurz.",
  "backups.recipients.hint": "Für wen der Hub verschlüsseln soll (--backup-recipient).",
  "backups.plain.hint": "Wer die Datei hat, hat die Schlüssel des Standorts und die Prüfwerte aller Passwörter.",
  "backups.traffic": "Mit den aufgezeichneten Nachrichten",
  "backups.traffic.hint": "Sie kann um ein Vielfaches größer sein.",
  "backups.download": "Herunterladen",
  "backups.download.of": ({ name }) => `${name} herunterladen`,
  "backups.remove": "Entfernen",
  "backups.remove.of": ({ name }) => `${name} entfernen`,
  "backups.remove.ask": "Diese Sicherung entfernen?",
  "backups.remove.detail": ({ name }) => `${name} ist dann weg. Eine heruntergeladene Kopie bleibt.`,
  "backups.removed": "Die Sicherung ist entfernt",
  "backups.encrypted": "verschlüsselt",
  "backups.open": "nicht verschlüsselt",

  "support.title": "Für alle, die helfen",
  "support.detail": "Eine Zip-Datei mit Zustand, Einstellungen, Log und Zählern des Hubs. Sie enthält kein Geheimnis und keinen Namen; dass sie gemacht wurde, steht im Protokoll.",
  "support.download": "Hilfspaket herunterladen",
};

/** Whether the hub can be relied on. */
export const trust: Texts<typeof en> = { en, de };
