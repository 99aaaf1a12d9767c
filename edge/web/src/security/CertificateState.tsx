import { Mark, Pill, lookOf, type Look } from "@obedio/web";
import { BadgeCheck, CalendarClock, CalendarX, ShieldX } from "lucide-react";
import type { Certificate } from "../api/resources";
import { useT } from "../context";
import { security } from "../messages/security";

export const certificateStates = ["valid", "due", "expired", "revoked"] as const;

export const certificateLook: Record<Certificate["state"], Look> = {
  valid: { icon: BadgeCheck, tone: "ok" },
  due: { icon: CalendarClock, tone: "warn" },
  expired: { icon: CalendarX, tone: "bad" },
  revoked: { icon: ShieldX, tone: "idle" },
};

export function CertificateState({ state, bare = false }: { state: Certificate["state"]; bare?: boolean }) {
  const t = useT(security);
  const look = lookOf(certificateLook, state);
  const Shape = bare ? Mark : Pill;
  return <span data-state={state} className="inline-flex min-w-0"><Shape tone={look.tone} icon={look.icon}>{t(`cert.${state}`)}</Shape></span>;
}
