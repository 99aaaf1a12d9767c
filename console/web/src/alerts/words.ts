import type { FleetAlert } from "../api/resources";
import { useT } from "../context";
import { alerts } from "../messages/alerts";

/** What alerts are called and what is to be done. One that this page does not know is told in the program's words. */
export function useAlertWords() {
  const t = useT(alerts);
  const known = (key: string): string | undefined => (key in alerts.en ? (t as unknown as (key: string) => string)(key) : undefined);
  return {
    title: (a: Pick<FleetAlert, "kind" | "title">) => known(`alerts.kind.${a.kind}`) ?? a.title ?? a.kind,
    action: (a: Pick<FleetAlert, "kind" | "action">) => known(`alerts.do.${a.kind}`) ?? a.action ?? "",
  };
}

/** What happened while a site was away, as its digest counts it. */
export const digestParts = [
  "requests", "requests_missed", "emergencies", "alerts_gone", "alerts_open", "orders_applied", "orders_expired", "orders_conflict", "orders_refused", "devices_lost",
] as const;

const rank = { critical: 0, warning: 1, info: 2 };

/** What stands and nobody ashore has seen comes first, the worst first, then the newest. */
export function compareAlerts(a: FleetAlert, b: FleetAlert): number {
  const group = (v: FleetAlert) => (v.seen_at ? 2 : isGone(v) ? 1 : 0);
  return group(a) - group(b) || rank[a.severity] - rank[b.severity] || b.arrived_at.localeCompare(a.arrived_at) || a.alert_id.localeCompare(b.alert_id);
}

export const isGone = (a: FleetAlert): boolean => a.state === "rectified" || a.state === "cleared";
