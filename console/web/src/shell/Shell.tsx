import { Button, Dialog, ErrorBoundary, ThemeChoice, classes, useToast } from "@obedio/web";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { LogOut, Menu as MenuIcon, Plus, ScrollText, Ship, Users, type LucideIcon } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useConsole, usePermits, useSession, useSystem, useT } from "../context";
import { Brand } from "./Brand";

/** The frame of every page: a rail at the desk, a bar below on a phone. */
export function Shell() {
  const t = useT();
  const path = useRouterState({ select: (s) => s.location.pathname });
  const mayAdd = usePermits("sites.write");
  const mayAudit = usePermits("audit.read");
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
          <NavLink to="/fleet" icon={Ship} active={path === "/fleet" || path.startsWith("/sites/")}>{t("nav.fleet")}</NavLink>
          {mayAdd && <NavLink to="/add-site" icon={Plus} active={path === "/add-site"}>{t("nav.add")}</NavLink>}
          <NavLink to="/people" icon={Users} active={path === "/people"}>{t("nav.people")}</NavLink>
          {mayAudit && <NavLink to="/audit" icon={ScrollText} active={path === "/audit"}>{t("nav.audit")}</NavLink>}
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

function NavLink({ to, icon: Icon, active, children }: { to: "/fleet" | "/add-site" | "/people" | "/audit"; icon: LucideIcon; active: boolean; children: ReactNode }) {
  return (
    <Link to={to} aria-current={active ? "page" : undefined} className={itemClass(active)}>
      <Icon aria-hidden className="size-5" />
      {children}
    </Link>
  );
}

function Menu({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const t = useT();
  const console = useConsole();
  const { user } = useSession();
  const system = useSystem();
  const toast = useToast();
  const signOut = () => {
    console.session.signOut().catch((error: Error) => toast({ tone: "bad", title: t("app.failed"), detail: error.message }));
  };
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={t("menu.title")} description={t("menu.signedIn", { name: user.name || user.username, role: user.role })} testId="menu">
      <div className="flex flex-col gap-6">
        <ThemeChoice />
        <div className="flex flex-wrap items-center justify-between gap-3">
          {system && <p className="text-xs text-fg-dim">{t("menu.version", { version: system.version })}</p>}
          <Button icon={LogOut} onClick={signOut}>{t("auth.signOut")}</Button>
        </div>
      </div>
    </Dialog>
  );
}
