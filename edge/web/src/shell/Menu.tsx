import { Button, Dialog, ThemeChoice, useToast } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import {
  Activity, Bell, ChevronRight, ClipboardCheck, DoorOpen, Download, Info, ListTodo, LogOut, QrCode, SatelliteDish, ScrollText, Settings, ShieldCheck, Stethoscope, Timer, type LucideIcon,
} from "lucide-react";
import { useHub, usePermits, useSession, useSystem, useT } from "../context";
import { PeopleLink } from "../people/PeopleLink";
import { useInstall } from "../worker/registration";

/** Who is signed in, how the screen looks, and the way out. */
export function Menu({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const t = useT();
  const hub = useHub();
  const { user } = useSession();
  const system = useSystem();
  const toast = useToast();
  const install = useInstall();
  const signOut = () => {
    hub.session.signOut().catch((error: Error) => toast({ tone: "bad", title: t("calls.failed"), detail: error.message }));
  };
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={t("menu.title")}
      description={t("menu.signedIn", { name: user.name || user.username, role: user.role })}
      testId="menu"
    >
      <div className="flex flex-col gap-6">
        <MorePages onGo={() => onOpenChange(false)} />
        <PeopleLink onGo={() => onOpenChange(false)} />
        <ThemeChoice />
        <div className="flex flex-wrap items-center justify-between gap-3">
          {system && <p className="text-xs text-fg-dim">{t("menu.version", { version: system.version })}</p>}
          {install && <Button icon={Download} onClick={install}>{t("menu.install")}</Button>}
          <Button icon={LogOut} onClick={signOut}>{t("auth.signOut")}</Button>
        </div>
      </div>
    </Dialog>
  );
}

/** The pages that have no place in the bar of a phone; `everywhere` those that have none beside a wide page, either. */
function MorePages({ onGo }: { onGo: () => void }) {
  const t = useT();
  const pages = [
    { to: "/mqtt/rooms", icon: DoorOpen, label: t("nav.rooms"), may: usePermits("rooms.read") },
    { to: "/mqtt/requests/statistics", icon: Timer, label: t("nav.statistics"), may: usePermits("requests.read"), everywhere: true },
    { to: "/mqtt/walk", icon: ClipboardCheck, label: t("nav.walk"), may: usePermits("devices.write"), everywhere: true },
    { to: "/mqtt/trust", icon: Stethoscope, label: t("nav.trust"), may: usePermits("system.read"), everywhere: true },
    { to: "/mqtt/alerts", icon: Bell, label: t("nav.alerts"), may: usePermits("alerts.read"), everywhere: true },
    { to: "/mqtt/devices/provision", icon: QrCode, label: t("nav.add"), may: usePermits("provision.write") },
    { to: "/mqtt/jobs", icon: ListTodo, label: t("nav.jobs"), may: usePermits("jobs.read"), everywhere: true },
    { to: "/mqtt/security", icon: ShieldCheck, label: t("nav.security"), may: usePermits("security.read") },
    { to: "/mqtt/traffic", icon: Activity, label: t("nav.traffic"), may: usePermits("traffic.read") },
    { to: "/mqtt/uplink", icon: SatelliteDish, label: t("shore.title"), may: usePermits("sync.read"), everywhere: true },
    { to: "/mqtt/audit", icon: ScrollText, label: t("nav.audit"), may: usePermits("audit.read") },
    { to: "/mqtt/settings", icon: Settings, label: t("nav.settings"), may: true },
    { to: "/mqtt/about", icon: Info, label: t("nav.about"), may: true, everywhere: true },
  ] satisfies { to: string; icon: LucideIcon; label: string; may: boolean; everywhere?: boolean }[];
  const shown = pages.filter((p) => p.may);
  return (
    <nav aria-label={t("nav.more")} className="-mx-2">
      <ul>
        {shown.map(({ to, icon: Icon, label, everywhere }) => (
          <li key={to} className={everywhere ? undefined : "md:hidden"}>
            <Link to={to} onClick={onGo} className="flex min-h-13 items-center gap-3 rounded-control px-2 text-base hover:bg-ink-800">
              <Icon aria-hidden className="size-6 text-fg-muted" />
              <span className="flex-1">{label}</span>
              <ChevronRight aria-hidden className="size-5 text-fg-dim" />
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
