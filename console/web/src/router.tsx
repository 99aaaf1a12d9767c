import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { AddSitePage } from "./fleet/AddSitePage";
import { FleetPage } from "./fleet/FleetPage";
import { Missing } from "./shell/Missing";
import { Shell } from "./shell/Shell";
import { SiteDevicePage } from "./site/SiteDevicePage";
import { SitePage } from "./site/SitePage";

/** What the address of the Fleet page holds, so that a view can be kept and shared. */
export interface FleetSearch {
  filter?: string;
  sort?: string;
}

export const siteTabs = ["overview", "devices", "requests", "alerts", "commands", "orders", "configuration", "traffic", "sync", "security", "audit"] as const;
export type SiteTab = (typeof siteTabs)[number];

/** What the address of a page with an audit holds. */
export interface AuditSearch {
  actor?: string;
  action?: string;
  target?: string;
  from?: string;
  to?: string;
}

export interface SiteSearch extends AuditSearch {
  tab?: SiteTab;
}

export interface AlertsSearch {
  tab?: "history" | "windows";
}

export interface FilterSearch {
  filter?: string;
}

/** What the form of a new job begins with. */
export interface NewJobSearch {
  sites?: string;
  devices?: string;
  /** For the devices that were chosen on the page before. */
  chosen?: boolean;
}

export interface PeopleSearch {
  tab?: string;
}

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

function auditSearch(search: Record<string, unknown>): AuditSearch {
  const names = ["actor", "action", "target", "from", "to"] as const;
  return Object.fromEntries(names.flatMap((name) => (text(search[name]) ? [[name, text(search[name])]] : [])));
}

const root = createRootRoute({ component: Shell, notFoundComponent: Missing });
const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/fleet", replace: true });
  },
});
const fleet = createRoute({
  getParentRoute: () => root,
  path: "/fleet",
  component: FleetPage,
  validateSearch: (search: Record<string, unknown>): FleetSearch => {
    const filter = text(search["filter"]);
    const sort = text(search["sort"]);
    return { ...(filter ? { filter } : {}), ...(sort ? { sort } : {}) };
  },
});
const addSite = createRoute({ getParentRoute: () => root, path: "/add-site", component: AddSitePage });
const site = createRoute({
  getParentRoute: () => root,
  path: "/sites/$siteId",
  component: SitePage,
  validateSearch: (search: Record<string, unknown>): SiteSearch => {
    const tab = siteTabs.find((name) => name === search["tab"]);
    return { ...(tab && tab !== "overview" ? { tab } : {}), ...(tab === "audit" ? auditSearch(search) : {}) };
  },
});
const siteDevice = createRoute({ getParentRoute: () => root, path: "/sites/$siteId/devices/$deviceId", component: SiteDevicePage });

// Pages that the morning's scan does not wait for come when they are opened.
const people = createRoute({
  getParentRoute: () => root,
  path: "/people",
  component: lazyRouteComponent(() => import("./people/PeoplePage"), "PeoplePage"),
  validateSearch: (search: Record<string, unknown>): PeopleSearch => {
    const tab = text(search["tab"]);
    return tab ? { tab } : {};
  },
});
const audit = createRoute({
  getParentRoute: () => root,
  path: "/audit",
  component: lazyRouteComponent(() => import("./audit/AuditPage"), "AuditPage"),
  validateSearch: auditSearch,
});

const alerts = createRoute({
  getParentRoute: () => root,
  path: "/alerts",
  component: lazyRouteComponent(() => import("./alerts/AlertsPage"), "AlertsPage"),
  validateSearch: (search: Record<string, unknown>): AlertsSearch => {
    const tab = (["history", "windows"] as const).find((name) => name === search["tab"]);
    return tab ? { tab } : {};
  },
});
const devices = createRoute({
  getParentRoute: () => root,
  path: "/devices",
  component: lazyRouteComponent(() => import("./devices/DevicesPage"), "DevicesPage"),
  validateSearch: (search: Record<string, unknown>): FilterSearch => {
    const filter = text(search["filter"]);
    return filter ? { filter } : {};
  },
});
const jobs = createRoute({
  getParentRoute: () => root,
  path: "/jobs",
  component: lazyRouteComponent(() => import("./jobs/JobsPage"), "JobsPage"),
});
const newJob = createRoute({
  getParentRoute: () => root,
  path: "/jobs/new",
  component: lazyRouteComponent(() => import("./jobs/NewJobPage"), "NewJobPage"),
  validateSearch: (search: Record<string, unknown>): NewJobSearch => {
    const [sites, devices] = [text(search["sites"]), text(search["devices"])];
    return { ...(sites ? { sites } : {}), ...(devices ? { devices } : {}), ...(search["chosen"] === true ? { chosen: true } : {}) };
  },
});
const job = createRoute({
  getParentRoute: () => root,
  path: "/jobs/$jobId",
  component: lazyRouteComponent(() => import("./jobs/JobPage"), "JobPage"),
  validateSearch: (search: Record<string, unknown>): { state?: string } => {
    const state = text(search["state"]);
    return state ? { state } : {};
  },
});
const map = createRoute({ getParentRoute: () => root, path: "/map", component: lazyRouteComponent(() => import("./map/MapPage"), "MapPage") });
const sync = createRoute({ getParentRoute: () => root, path: "/sync", component: lazyRouteComponent(() => import("./sync/SyncPage"), "SyncPage") });
const security = createRoute({
  getParentRoute: () => root,
  path: "/security",
  component: lazyRouteComponent(() => import("./security/SecurityPage"), "SecurityPage"),
});
const notifications = createRoute({
  getParentRoute: () => root,
  path: "/notifications",
  component: lazyRouteComponent(() => import("./notifications/NotificationsPage"), "NotificationsPage"),
});
const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  component: lazyRouteComponent(() => import("./settings/SettingsPage"), "SettingsPage"),
});
const templates = createRoute({
  getParentRoute: () => root,
  path: "/templates",
  component: lazyRouteComponent(() => import("./templates/TemplatesPage"), "TemplatesPage"),
  validateSearch: (search: Record<string, unknown>): { tab?: "templates" } => (search["tab"] === "templates" ? { tab: "templates" } : {}),
});
const policy = createRoute({
  getParentRoute: () => root,
  path: "/templates/policies/$policyId",
  component: lazyRouteComponent(() => import("./templates/PolicyPage"), "PolicyPage"),
});

const routeTree = root.addChildren([home, fleet, addSite, site, siteDevice, people, audit, alerts, devices, jobs, newJob, job, map, sync, security, notifications, settings, templates, policy]);

export function makeRouter() {
  return createRouter({ routeTree, scrollRestoration: true });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
