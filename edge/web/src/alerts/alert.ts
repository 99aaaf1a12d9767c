import type { Alert, AlertSeverity, NotificationRule } from "../api/resources";
import { severities } from "@obedio/web/alerts";

export { alertStateLooks, severities, severityLooks } from "@obedio/web/alerts";

const rank: Record<AlertSeverity, number> = { critical: 0, warning: 1, info: 2 };
const order: Record<Alert["state"], number> = { active: 0, rectified: 1, acknowledged: 2, silenced: 3, cleared: 4 };

/** What nobody has looked at comes first, then the worst, then the newest. */
export function compareAlerts(a: Alert, b: Alert): number {
  return order[a.state] - order[b.state] || rank[a.severity] - rank[b.severity] || b.since.localeCompare(a.since) || a.alert_id.localeCompare(b.alert_id);
}

export function isOpen(alert: Alert): boolean {
  return alert.state !== "cleared";
}

/** Nobody has said that they have seen it. */
export function wantsSomebody(alert: Alert): boolean {
  return alert.state === "active" || alert.state === "rectified";
}

/** What the bell says: how many want somebody, and how bad the worst of them is. */
export function countAlerts(alerts: Iterable<Alert>): { n: number; critical: number; worst: AlertSeverity | undefined } {
  const waiting = [...alerts].filter(wantsSomebody);
  const worst = severities.find((s) => waiting.some((a) => a.severity === s));
  return { n: waiting.length, critical: waiting.filter((a) => a.severity === "critical").length, worst };
}

/** Whether a rule is about an alert, as the hub decides it for mail and webhooks. */
export function ruleWants(rule: NotificationRule, alert: Alert): boolean {
  return !rule.disabled && rule.on.includes("alert") && rank[alert.severity] <= rank[rule.min_severity ?? "warning"]
    && (!rule.kinds?.length || rule.kinds.includes(alert.kind));
}

/** Whether it is quiet for that severity; `time` is the time of the day at the site, such as 22:30. */
export function isQuiet(quiet: NotificationRule["quiet"], time: string, severity: AlertSeverity): boolean {
  if (!quiet || (severity === "critical" && !quiet.critical)) return false;
  const { from, to } = quiet;
  return to < from ? time >= from || time < to : time >= from && time < to;
}

export type AlertSound = "chime" | "alarm";

/** The loudest sound that the rules want for an alert now. */
export function soundFor(rules: readonly NotificationRule[], alert: Alert, time: string): AlertSound | undefined {
  const wanted = rules.filter((r) => ruleWants(r, alert) && !isQuiet(r.quiet, time, alert.severity)).map((r) => r.sound);
  return wanted.includes("alarm") ? "alarm" : wanted.includes("chime") ? "chime" : undefined;
}

/** The time of the day at a place, as rules write it. */
export function timeOfDay(at: number, zone: string | undefined): string {
  // h23: midnight is 00, not 24.
  return new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(zone ? { timeZone: zone } : {}) }).format(at);
}

/** One coming of a condition: what is told once. */
export function comingOf(alert: Alert): string {
  return `${alert.alert_id} ${alert.occurrences} ${alert.severity}`;
}
