import type { Collection, FilterSchema } from "@obedio/web";
import type { Backlog, Site } from "../api/resources";

/** Older data is shown as old, whatever the link state says. */
export const oldAfter = 15 * 60_000;

/** Records that wait on the hub; undefined when the hub has not said. */
export function backlogOf(backlog: Backlog | undefined): number | undefined {
  return backlog && backlog.requests + backlog.commands + backlog.state + backlog.registry;
}

/** True when what is known of a site must not be shown as if it were so now. Unknown is old. */
export function isOld(site: Site, now: number): boolean {
  if (site.data_as_of === undefined) return true;
  if (site.link_state !== "online" && site.link_state !== "late") return true;
  return now - Date.parse(site.data_as_of) > oldAfter;
}

export const siteFilter: FilterSchema<Site> = {
  fields: {
    link: { kind: "text", read: (s) => s.link_state },
    id: { kind: "text", read: (s) => s.site_id },
    name: { kind: "text", read: (s) => s.name },
    version: { kind: "text", read: (s) => s.hub_version },
    reason: { kind: "text", read: (s) => s.attention_reasons },
    attention: { kind: "number", read: (s) => s.attention },
    open: { kind: "number", read: (s) => s.requests.open },
    emergency: { kind: "number", read: (s) => s.requests.emergency },
    backlog: { kind: "number", read: (s) => backlogOf(s.backlog) },
    devices: { kind: "number", read: (s) => s.counts.devices },
    lost: { kind: "number", read: (s) => s.counts.lost },
    late: { kind: "number", read: (s) => s.counts.late },
    ready: { kind: "number", read: (s) => s.counts.ready },
    orders: { kind: "number", read: (s) => s.orders_pending },
    alerts: { kind: "number", read: (s) => s.open_alerts },
    letters: { kind: "number", read: (s) => s.dead_letters },
    bytes: { kind: "number", read: (s) => s.bytes_today },
    tag: { kind: "text", read: (s) => s.tags },
    zone: { kind: "text", read: (s) => s.zone },
    profile: { kind: "text", read: (s) => s.link_profile },
    template: { kind: "text", read: (s) => s.template },
    verdict: { kind: "text", read: (s) => s.verdict },
    planned: { kind: "text", read: (s) => String(s.planned_until !== undefined) },
  },
  text: (s) => [s.name, s.site_id, ...(s.tags ?? [])],
};

export const filterWords = Object.keys(siteFilter.fields);

export interface FleetCounts {
  total: number;
  links: Record<string, number>;
  open: number;
  emergency: number;
  attention: number;
  withLost: number;
  withOrders: number;
  withAlerts: number;
  largest: { name: string; backlog: number } | undefined;
}

export function countFleet(sites: Collection<Site>): FleetCounts {
  const c: FleetCounts = { total: sites.size, links: {}, open: 0, emergency: 0, attention: 0, withLost: 0, withOrders: 0, withAlerts: 0, largest: undefined };
  for (const s of sites.values()) {
    c.links[s.link_state] = (c.links[s.link_state] ?? 0) + 1;
    c.open += s.requests.open;
    c.emergency += s.requests.emergency;
    if (s.attention > 0) c.attention++;
    if (s.counts.lost > 0) c.withLost++;
    if (s.orders_pending > 0) c.withOrders++;
    if (s.open_alerts > 0) c.withAlerts++;
    const backlog = backlogOf(s.backlog) ?? 0;
    if (backlog > (c.largest?.backlog ?? 0)) c.largest = { name: s.name, backlog };
  }
  return c;
}

export const siteSorts = ["attention", "site", "link", "data", "backlog", "requests", "orders", "alerts", "bytes", "version"] as const;
export type SiteSort = (typeof siteSorts)[number];

export function sortNamed(name: string | undefined): SiteSort {
  return siteSorts.find((s) => s === name) ?? "attention";
}

const linkRank: Record<string, number> = { stalled: 0, offline: 1, late: 2, never_connected: 3, online: 4, revoked: 5, retired: 6 };

/** Compares upwards; the caller turns it round. Equal sites keep the order of their names. */
export function compareSites(sort: SiteSort, collator: Intl.Collator): (a: Site, b: Site) => number {
  const byName = (a: Site, b: Site) => collator.compare(a.name, b.name) || a.site_id.localeCompare(b.site_id);
  switch (sort) {
    case "attention":
      return (a, b) => b.attention - a.attention || byName(a, b);
    case "site":
      return byName;
    case "link":
      return (a, b) => (linkRank[a.link_state] ?? 9) - (linkRank[b.link_state] ?? 9) || byName(a, b);
    case "data":
      return (a, b) => (a.data_as_of ?? "").localeCompare(b.data_as_of ?? "") || byName(a, b);
    case "backlog":
      return (a, b) => (backlogOf(a.backlog) ?? -1) - (backlogOf(b.backlog) ?? -1) || byName(a, b);
    case "requests":
      return (a, b) => a.requests.open - b.requests.open || byName(a, b);
    case "orders":
      return (a, b) => a.orders_pending - b.orders_pending || byName(a, b);
    case "alerts":
      return (a, b) => a.open_alerts - b.open_alerts || byName(a, b);
    case "bytes":
      return (a, b) => a.bytes_today - b.bytes_today || byName(a, b);
    case "version":
      return (a, b) => collator.compare(a.hub_version ?? "", b.hub_version ?? "") || byName(a, b);
  }
}
