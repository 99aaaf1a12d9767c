import { BellOff, BellRing, CircleAlert, CircleCheck, Info, OctagonAlert, TriangleAlert, UserCheck } from "lucide-react";
import type { Look } from "../fleet/states";

export const severities = ["critical", "warning", "info"] as const;
export type Severity = (typeof severities)[number];
export type AlertState = "active" | "rectified" | "acknowledged" | "silenced" | "cleared";

export const severityLooks: Record<Severity, Look> = {
  critical: { icon: OctagonAlert, tone: "bad" },
  warning: { icon: TriangleAlert, tone: "warn" },
  info: { icon: Info, tone: "accent" },
};

export const alertStateLooks: Record<AlertState, Look> = {
  active: { icon: BellRing, tone: "idle" },
  rectified: { icon: CircleAlert, tone: "idle" },
  acknowledged: { icon: UserCheck, tone: "idle" },
  silenced: { icon: BellOff, tone: "idle" },
  cleared: { icon: CircleCheck, tone: "ok" },
};
