import { DataView, RelativeTime, Section, Skeletons, classes, toneText, useDerived, useFormats, useStatus, viewStateOf, type Collection, type Tone } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { BadgeCheck, Ban as BanIcon, CalendarClock, CircleCheck, ShieldAlert, type LucideIcon } from "lucide-react";
import { useCallback, useEffect, type ReactNode } from "react";
import type { Ban, Certificate, Denial } from "../api/resources";
import { useHub, useReach, useT } from "../context";
import { useServerList } from "../lists";
import { security } from "../messages/security";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { Bans, banKey } from "./Bans";
import { CertificateState } from "./CertificateState";
import { certificateKey } from "./certificates";
import { Denials } from "./Denials";
import { SecurityNav } from "./SecurityNav";

const dayLong = 86_400_000;

/** What about the site's security needs somebody: certificates that end, denials, bans. */
export function SecurityPage() {
  const t = useT(security);
  return (
    <Page title={t("security.title")}>
      <SecurityNav />
      <Guard needs="security.read"><Overview /></Guard>
    </Page>
  );
}

function Overview() {
  const t = useT(security);
  const hub = useHub();
  const { number } = useFormats();
  useEffect(() => hub.readDenials(), [hub]);
  const certificates = useServerList<Certificate>("/security/certificates", certificateKey, true, "state:due,expired");
  const bans = useServerList<Ban>("/security/bans", banKey, true);
  const recent = useDerived(hub.denials, useCallback((d: Collection<Denial>) => countSince(d, hub.clock.now() - dayLong), [hub]));
  const ending = useDerived(certificates.list, sizeOf);
  const banned = useDerived(bans.list, sizeOf);
  return (
    <div className="flex flex-col gap-5">
      <dl className="grid grid-cols-1 gap-3 sm:grid-cols-3 sm:gap-4">
        <Tile icon={CalendarClock} tone="warn" label={t("security.tile.ending")} value={ending} known={isRead(certificates.list)} shown={number(ending)} />
        <Tile icon={ShieldAlert} tone="warn" label={t("security.tile.denied")} value={recent} known={isRead(hub.denials)} shown={number(recent)} />
        <Tile icon={BanIcon} tone="bad" label={t("security.tile.banned")} value={banned} known={isRead(bans.list)} shown={number(banned)} />
      </dl>
      <Ending list={certificates.list} reload={certificates.reload} />
      <Denials />
      <Bans list={bans.list} reload={bans.reload} />
    </div>
  );
}

const isRead = <T,>(list: Collection<T>) => list.status.phase === "ready";
const sizeOf = <T,>(list: Collection<T>) => list.size;

function countSince(denials: Collection<Denial>, from: number): number {
  let n = 0;
  for (const d of denials.values()) if (Date.parse(d.last_at) >= from) n++;
  return n;
}

/** A number that is good at zero; before it is known it is neither. */
function Tile({ icon: Icon, tone, label, value, shown, known }: { icon: LucideIcon; tone: Tone; label: string; value: number; shown: string; known: boolean }) {
  const Shown = known && value === 0 ? CircleCheck : Icon;
  return (
    <div className="flex items-center gap-3 rounded-card border border-line bg-ink-850 px-4 py-3 sm:block">
      <dt className="flex flex-1 items-center gap-2 text-xs text-fg-dim">
        <Shown aria-hidden className={classes("size-4.5 shrink-0", !known ? "text-fg-dim" : value === 0 ? "text-ok" : toneText[tone])} />
        {label}
      </dt>
      <dd className="text-lg font-semibold sm:mt-1">{known ? shown : "–"}</dd>
    </div>
  );
}

function Ending({ list, reload }: { list: Collection<Certificate>; reload: () => void }) {
  const t = useT(security);
  const rows = useDerived(list, soonestFirst);
  const state = viewStateOf({ status: useStatus(list), total: rows.length, shown: rows.length, reach: useReach() });
  return (
    <Section title={t("security.ending")} testId="ending" actions={<More to="/mqtt/security/certificates">{t("security.allCertificates")}</More>}>
      {state.kind === "empty" ? (
        <Fine>{t("security.ending.none")}</Fine>
      ) : (
        <DataView state={state} quietLink onRetry={reload} empty={{ title: "" }} skeleton={<Skeletons count={2} itemClass="h-11" className="flex flex-col gap-2 p-4" />}>
          <ul className="divide-y divide-line">
            {rows.slice(0, 8).map((c) => (
              <li key={c.serial}>
                <Link to="/mqtt/security/certificates" search={{ serial: c.serial }} className="reveals-time flex min-h-13 items-center justify-between gap-3 px-4 py-1 text-sm hover:bg-ink-800 in-last:rounded-b-card">
                  <span className="min-w-0 truncate font-medium">{c.device_id ?? t(c.kind === "authority" ? "certs.authority" : "certs.server")}</span>
                  <span className="flex shrink-0 items-center gap-3"><RelativeTime at={c.not_after} focusable={false} className="text-fg-muted" /><CertificateState state={c.state} /></span>
                </Link>
              </li>
            ))}
          </ul>
        </DataView>
      )}
    </Section>
  );
}

const soonestFirst = (list: Collection<Certificate>) => [...list.values()].sort((a, b) => a.not_after.localeCompare(b.not_after));

/** All is well, in one line. */
export function Fine({ children }: { children: ReactNode }) {
  return (
    <p data-view-state="empty" className="flex min-h-13 items-center gap-2 px-4 py-3 text-sm text-fg-muted">
      <BadgeCheck aria-hidden className="size-5 shrink-0 text-ok" />
      {children}
    </p>
  );
}

function More({ to, children }: { to: "/mqtt/security/certificates"; children: ReactNode }) {
  return <Link to={to} className="inline-flex min-h-control items-center rounded-control px-2 text-sm text-accent-fg underline-offset-4 hover:underline">{children}</Link>;
}
