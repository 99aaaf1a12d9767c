import type { Texts, Translation } from "@obedio/web";

const lanesEn: Record<string, string> = {
  requests: "Requests and alerts", commands: "Commands", state: "Device state", registry: "Devices, rooms, rules, audit", summaries: "Traffic by the hour",
};
const lanesDe: Record<string, string> = {
  requests: "Rufe und Warnungen", commands: "Befehle", state: "Gerätezustand", registry: "Geräte, Räume, Regeln, Protokoll", summaries: "Nachrichten je Stunde",
};

const en = {
  "uplink.title": "Shore link",
  "uplink.link": "The link",
  "uplink.none": "This hub belongs to no console",
  "uplink.none.detail": "Everything on board works without one. To be seen and helped from shore, bring the claim file of a console: in Settings.",
  "uplink.none.settings": "Open Settings",
  "uplink.consoleId": "Console id",
  "uplink.never": "never",
  "uplink.noError": "none",
  "uplink.lanes": "What goes to shore",
  "uplink.lanes.note": "the uppermost first",
  "uplink.lane": "Lane",
  "uplink.lane.name": ({ name }: { name: string }) => lanesEn[name] ?? name,
  "uplink.acked": "Held ashore",
  "uplink.head": "On board",
  "uplink.backlog": "Waiting",
  "uplink.oldest": "Oldest of it",
  "uplink.synced": "all of it is ashore",
  "uplink.oldest.none": "not by record",
  "uplink.orders": "Orders from shore",
  "uplink.orders.none": "No order waits",
  "uplink.orders.none.detail": ({ n }: { n: string }) => `All that the console has given were taken; the last one was number ${n}.`,
  "uplink.orders.never": "The console has given none yet.",
  "uplink.orders.waiting": ({ n }: { n: string }) => `${n} wait to be fetched`,
  "uplink.orders.waiting.detail": "The hub fetches them, one after the other, when the link is up.",
  "uplink.state": "Is it the same on both sides?",
  "uplink.epoch": "Epoch of the hub’s store",
  "uplink.consoleEpoch": "Epoch of the console’s store",
  "uplink.digest": "Digest",
  "uplink.digest.hint": "Equal here and at the console when both hold the same.",
};

const de: Translation<typeof en> = {
  "uplink.title": "Landverbindung",
  "uplink.link": "Die Verbindung",
  "uplink.none": "Dieser Hub gehört zu keiner Konsole",
  "uplink.none.detail": "An Bord läuft alles auch ohne. Damit man ihn von Land sieht und helfen kann, die Anmeldedatei einer Konsole bringen: in den Einstellungen.",
  "uplink.none.settings": "Einstellungen öffnen",
  "uplink.consoleId": "Konsolen-ID",
  "uplink.never": "nie",
  "uplink.noError": "keiner",
  "uplink.lanes": "Was an Land geht",
  "uplink.lanes.note": "das Oberste zuerst",
  "uplink.lane": "Spur",
  "uplink.lane.name": ({ name }) => lanesDe[name] ?? name,
  "uplink.acked": "An Land",
  "uplink.head": "An Bord",
  "uplink.backlog": "Wartet",
  "uplink.oldest": "Ältestes davon",
  "uplink.synced": "alles ist an Land",
  "uplink.oldest.none": "nicht einzeln",
  "uplink.orders": "Anweisungen von Land",
  "uplink.orders.none": "Keine Anweisung wartet",
  "uplink.orders.none.detail": ({ n }) => `Alles, was die Konsole gegeben hat, ist übernommen; zuletzt Nummer ${n}.`,
  "uplink.orders.never": "Die Konsole hat noch keine gegeben.",
  "uplink.orders.waiting": ({ n }) => `${n} warten aufs Abholen`,
  "uplink.orders.waiting.detail": "Der Hub holt sie eine nach der anderen, sobald die Verbindung steht.",
  "uplink.state": "Ist es auf beiden Seiten gleich?",
  "uplink.epoch": "Epoche des Speichers an Bord",
  "uplink.consoleEpoch": "Epoche des Speichers der Konsole",
  "uplink.digest": "Prüfsumme",
  "uplink.digest.hint": "Hier und an der Konsole gleich, wenn beide dasselbe haben.",
};

/** The link to shore. */
export const uplink: Texts<typeof en> = { en, de };
