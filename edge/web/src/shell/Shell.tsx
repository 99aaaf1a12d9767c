import { ErrorBoundary, classes } from "@obedio/web";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { Activity, BellRing, CalendarClock, DoorOpen, LayoutGrid, Menu as MenuIcon, QrCode, ScrollText, Settings, ShieldCheck, Users, type LucideIcon } from "lucide-react";
import { Suspense, lazy, useState, type ReactNode } from "react";
import { EmergencyScreen } from "../calls/Emergency";
import { RingProvider } from "../calls/RingContext";
import { useOpenRequests } from "../calls/order";
import { usePermits, useT } from "../context";
import { DrillBanner } from "../drill/DrillBanner";
import { Menu } from "./Menu";

// Calls do not wait for it, and go on without it.
const AlertWatch = lazy(() => import("../alerts/AlertWatch").then((m) => ({ default: m.AlertWatch }), () => ({ default: () => null })));

/** The frame of every page: navigation, the emergency screen above all, and the sound. */
export function Shell() {
  const t = useT();
  const path = useRouterState({ select: (s) => s.location.pathname });
  const [menu, setMenu] = useState(false);
  const mayAlerts = usePermits("alerts.read");
  const mayAdd = usePermits("provision.write");
  const mayAudit = usePermits("audit.read");
  const mayPeople = usePermits("users.read");
  const mayTraffic = usePermits("traffic.read");
  const maySecure = usePermits("security.read");
  return (
    <RingProvider>
      <a href="#content" className="sr-only focus-visible:not-sr-only focus-visible:fixed focus-visible:top-2 focus-visible:left-2 focus-visible:z-50 focus-visible:rounded-control focus-visible:bg-ink-800 focus-visible:px-4 focus-visible:py-3">
        {t("app.skip")}
      </a>
      <div className="md:pl-24 print:pl-0">
        <nav
          aria-label={t("nav.label")}
          className="fixed inset-x-0 bottom-0 z-30 flex border-t print:hidden border-line bg-ink-950 pb-[env(safe-area-inset-bottom)] md:inset-y-0 md:right-auto md:w-24 md:flex-col md:gap-1 md:overflow-y-auto md:border-t-0 md:border-r md:px-1 md:py-3"
        >
          <CallsLink active={path === "/mqtt/dashboard"} />
          <NavLink to="/mqtt/duty" icon={CalendarClock} active={path === "/mqtt/duty"}>{t("nav.duty")}</NavLink>
          <NavLink to="/mqtt/rooms" icon={DoorOpen} active={path === "/mqtt/rooms"} wide>{t("nav.rooms")}</NavLink>
          <NavLink to="/mqtt/devices" icon={LayoutGrid} active={(path.startsWith("/mqtt/devices") && !path.startsWith(adding)) || path.startsWith("/mqtt/jobs")}>{t("nav.devices")}</NavLink>
          {mayAdd && <NavLink to="/mqtt/devices/provision" icon={QrCode} active={path.startsWith(adding)} wide>{t("nav.add")}</NavLink>}
          {mayPeople && <NavLink to="/mqtt/people" icon={Users} active={path === "/mqtt/people"} wide>{t("people.title")}</NavLink>}
          {maySecure && <NavLink to="/mqtt/security" icon={ShieldCheck} active={path.startsWith("/mqtt/security")} wide>{t("nav.security")}</NavLink>}
          {mayTraffic && <NavLink to="/mqtt/traffic" icon={Activity} active={path.startsWith("/mqtt/traffic")} wide>{t("nav.traffic")}</NavLink>}
          {mayAudit && <NavLink to="/mqtt/audit" icon={ScrollText} active={path === "/mqtt/audit"} wide>{t("nav.audit")}</NavLink>}
          <NavLink to="/mqtt/settings" icon={Settings} active={path === "/mqtt/settings"} wide>{t("nav.settings")}</NavLink>
          <button type="button" aria-haspopup="dialog" onClick={() => setMenu(true)} className={classes(itemClass(false), "md:mt-auto")}>
            <MenuIcon aria-hidden className="size-6" />
            {t("nav.menu")}
          </button>
        </nav>
        <div className="pb-[calc(5rem+env(safe-area-inset-bottom))] md:pb-0">
          <EmergencyScreen />
          <DrillBanner />
          {mayAlerts && <Suspense><AlertWatch /></Suspense>}
          <ErrorBoundary resetKey={path}>
            <Outlet />
          </ErrorBoundary>
        </div>
      </div>
      <Menu open={menu} onOpenChange={setMenu} />
    </RingProvider>
  );
}

const adding = "/mqtt/devices/provision";

function itemClass(active: boolean, wide = false): string {
  return classes(
    wide ? "hidden md:flex" : "flex",
    "relative min-h-16 flex-1 flex-col items-center justify-center gap-1 rounded-control text-center text-xs transition-colors duration-150 -outline-offset-2! md:min-h-15.5 md:flex-none",
    active ? "text-accent-fg md:bg-accent-soft" : "text-fg-muted hover:text-fg md:hover:bg-ink-850",
  );
}

interface NavLinkProps {
  to: "/mqtt/dashboard" | "/mqtt/duty" | "/mqtt/rooms" | "/mqtt/devices" | "/mqtt/devices/provision" | "/mqtt/people" | "/mqtt/security" | "/mqtt/traffic" | "/mqtt/audit" | "/mqtt/settings";
  icon: LucideIcon;
  active: boolean;
  /** Only where there is room for it; on a phone the menu has it. */
  wide?: boolean;
  children: ReactNode;
}

function NavLink({ to, icon: Icon, active, wide, children }: NavLinkProps) {
  return (
    <Link to={to} activeOptions={{ exact: true, includeSearch: false }} aria-current={active ? "page" : undefined} className={itemClass(active, wide)}>
      <Icon aria-hidden className="size-6" />
      {children}
    </Link>
  );
}

function CallsLink({ active }: { active: boolean }) {
  const t = useT();
  const waiting = useOpenRequests().filter((r) => r.state === "open").length;
  return (
    <NavLink to="/mqtt/dashboard" icon={BellRing} active={active}>
      {t("nav.calls")}
      {waiting > 0 && (
        <span className="absolute top-1.5 left-1/2 ml-2 min-w-5 rounded-full bg-accent px-1.5 text-center text-xs font-semibold text-on-accent">
          <span aria-hidden>{waiting}</span>
          <span className="sr-only">{t("nav.waiting", { n: waiting })}</span>
        </span>
      )}
    </NavLink>
  );
}
