import { Button, Dialog, ErrorBoundary, LanguageChoice, ThemeChoice, classes, permits, useDerived, useFormats, useToast, type Collection } from "@obedio/web";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { BellRing, Boxes, LayoutTemplate, LogOut, Map as MapIcon, Menu as MenuIcon, Plus, RefreshCw, Rocket, ScrollText, Settings, ShieldCheck, Ship, Users, Webhook, type LucideIcon } from "lucide-react";
import { useState } from "react";
import type { FleetAlert } from "../api/resources";
import { useConsole, useSession, useSystem, useT } from "../context";
import type { ConsoleMessages } from "../messages/en";
import { Brand } from "./Brand";

/** The frame of every page: a rail at the desk, a bar below on a phone. */
export function Shell() {
  const t = useT();
  const path = useRouterState({ select: (s) => s.location.pathname });
  const [menu, setMenu] = useState(false);
  return (
    <>
      <a href="#content" className="sr-only focus-visible:not-sr-only focus-visible:fixed focus-visible:top-2 focus-visible:left-2 focus-visible:z-50 focus-visible:rounded-control focus-visible:bg-ink-800 focus-visible:px-4 focus-visible:py-3">
        {t("app.skip")}
      </a>
      <div className="md:pl-52">
        <nav
          aria-label={t("nav.label")}
          className="fixed inset-x-0 bottom-0 z-30 flex border-t border-line bg-ink-950 pb-[env(safe-area-inset-bottom)] md:inset-y-0 md:right-auto md:w-52 md:flex-col md:gap-1 md:border-t-0 md:border-r md:px-3 md:py-4"
        >
          <div className="mb-4 hidden px-2 text-base md:block"><Brand small /></div>
          {pages.map((page) => <Item key={page.to} page={page} path={path} />)}
          <button type="button" aria-haspopup="dialog" onClick={() => setMenu(true)} className={classes(itemClass(false), "md:mt-auto")}>
            <MenuIcon aria-hidden className="size-5" />
            {t("nav.menu")}
          </button>
        </nav>
        <div className="pb-[calc(5rem+env(safe-area-inset-bottom))] md:pb-0">
          <ErrorBoundary resetKey={path}>
            <Outlet />
          </ErrorBoundary>
        </div>
      </div>
      <Menu open={menu} onOpenChange={setMenu} />
    </>
  );
}

function itemClass(active: boolean): string {
  return classes(
    "flex min-h-15 flex-1 flex-col items-center justify-center gap-1 rounded-control text-xs transition-colors duration-150 -outline-offset-2!",
    "md:min-h-10 md:flex-none md:flex-row md:justify-start md:gap-3 md:px-3 md:text-sm",
    active ? "text-accent-fg md:bg-accent-soft" : "text-fg-muted hover:text-fg md:hover:bg-ink-850",
  );
}

interface PageLink {
  to: "/fleet" | "/map" | "/alerts" | "/devices" | "/jobs" | "/sync" | "/security" | "/templates" | "/notifications" | "/add-site" | "/people" | "/audit" | "/settings";
  icon: LucideIcon;
  word: Extract<keyof ConsoleMessages, `nav.${string}`>;
  /** Who may open it; everybody if absent. */
  needs?: string;
  /** In the bar of a phone, where there is room for few; the others are in its menu. */
  first?: boolean;
  also?: string;
}

const pages: readonly PageLink[] = [
  { to: "/fleet", icon: Ship, word: "nav.fleet", first: true, also: "/sites/" },
  { to: "/map", icon: MapIcon, word: "nav.map" },
  { to: "/alerts", icon: BellRing, word: "nav.alerts", needs: "alerts.read", first: true },
  { to: "/devices", icon: Boxes, word: "nav.devices", needs: "devices.read", first: true },
  { to: "/jobs", icon: Rocket, word: "nav.jobs", needs: "jobs.read", first: true, also: "/jobs/" },
  { to: "/sync", icon: RefreshCw, word: "nav.sync", needs: "sync.read" },
  { to: "/security", icon: ShieldCheck, word: "nav.security", needs: "security.read" },
  { to: "/templates", icon: LayoutTemplate, word: "nav.templates", needs: "templates.read", also: "/templates/" },
  { to: "/notifications", icon: Webhook, word: "nav.notifications", needs: "alerts.read" },
  { to: "/add-site", icon: Plus, word: "nav.add", needs: "sites.write" },
  { to: "/people", icon: Users, word: "nav.people" },
  { to: "/audit", icon: ScrollText, word: "nav.audit", needs: "audit.read" },
  { to: "/settings", icon: Settings, word: "nav.settings" },
];

const isAt = (page: PageLink, path: string) => path === page.to || (page.also !== undefined && path.startsWith(page.also));

function Item({ page, path }: { page: PageLink; path: string }) {
  const t = useT();
  const session = useSession();
  if (page.needs !== undefined && !permits(session, page.needs)) return null;
  const active = isAt(page, path);
  return (
    <Link to={page.to} aria-current={active ? "page" : undefined} className={classes(itemClass(active), !page.first && "max-md:hidden!")}>
      <span className="relative">
        <page.icon aria-hidden className="size-5" />
        {page.to === "/alerts" && <AlertDot />}
      </span>
      {t(page.word as "nav.fleet")}
      {page.to === "/alerts" && <AlertCount />}
    </Link>
  );
}

const unseen = (alerts: Collection<FleetAlert>) => {
  let n = 0;
  let critical = 0;
  for (const a of alerts.values()) {
    if (a.seen_at !== undefined || a.state === "rectified" || a.state === "cleared") continue;
    n++;
    if (a.severity === "critical") critical++;
  }
  return { n, critical };
};

/** How many alerts stand that nobody ashore has seen. */
function AlertCount() {
  const t = useT();
  const { number } = useFormats();
  const { n, critical } = useDerived(useConsole().alerts, unseen);
  if (n === 0) return null;
  return (
    <span className={classes("rounded-full px-2 text-xs tabular-nums max-md:sr-only md:ml-auto", critical > 0 ? "bg-bad-soft text-bad" : "bg-warn-soft text-warn")}>
      <span aria-hidden>{number(n)}</span>
      <span className="sr-only">{t("nav.alerts.open", { n: number(n) })}</span>
    </span>
  );
}

function AlertDot() {
  const { n, critical } = useDerived(useConsole().alerts, unseen);
  if (n === 0) return null;
  return <span aria-hidden className={classes("absolute -top-1 -right-1 size-2.5 rounded-full md:hidden", critical > 0 ? "bg-bad" : "bg-warn")} />;
}

function Menu({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const t = useT();
  const console = useConsole();
  const session = useSession();
  const { user } = session;
  const system = useSystem();
  const toast = useToast();
  const signOut = () => {
    console.session.signOut().catch((error: Error) => toast({ tone: "bad", title: t("app.failed"), detail: error.message }));
  };
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={t("menu.title")} description={t("menu.signedIn", { name: user.name || user.username, role: user.role })} testId="menu">
      <div className="flex flex-col gap-6">
        <nav aria-label={t("menu.more")} className="-mx-2 grid grid-cols-2 gap-1 md:hidden">
          {pages.filter((page) => !page.first && (page.needs === undefined || permits(session, page.needs))).map((page) => (
            <Link key={page.to} to={page.to} onClick={() => onOpenChange(false)} className="flex min-h-control items-center gap-3 rounded-control px-3 py-2 text-sm hover:bg-ink-800">
              <page.icon aria-hidden className="size-5 text-fg-muted" />
              {t(page.word as "nav.fleet")}
            </Link>
          ))}
        </nav>
        <LanguageChoice />
        <ThemeChoice />
        <div className="flex flex-wrap items-center justify-between gap-3">
          {system && <p className="text-xs text-fg-dim">{t("menu.version", { version: system.version })}</p>}
          <Button icon={LogOut} onClick={signOut}>{t("auth.signOut")}</Button>
        </div>
      </div>
    </Dialog>
  );
}
