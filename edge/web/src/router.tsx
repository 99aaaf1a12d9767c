import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { CallsPage } from "./calls/CallsPage";
import { DevicesPage } from "./devices/DevicesPage";
import { Missing } from "./shell/Missing";
import { Shell } from "./shell/Shell";

/** What the address of the Devices page holds, so that a view can be kept and shared. */
export interface DevicesSearch {
  filter?: string;
  sort?: string;
  view?: "grid" | "table";
}

/** A device that is replaced, and the token that is followed. The token's secret is not in the address. */
export interface ProvisionSearch {
  replace?: string;
  token?: string;
}

/** What the labels are for. */
export interface LabelsSearch {
  type?: string;
  room?: string;
  profile?: string;
}

/** The view of the certificates, and the one that is open. */
export interface CertificatesSearch {
  filter?: string | undefined;
  sort?: string | undefined;
  serial?: string | undefined;
}

/** The list or the document that is shown, and what a denial has brought along. */
export interface AclSearch {
  tab?: "profiles" | "rules" | "test";
  profile?: string;
  acl?: string;
  add?: "profile" | "acl" | "rule";
  client?: string | undefined;
  action?: string | undefined;
  topic?: string | undefined;
}

/** What of the traffic is shown. */
export interface TrafficSearch {
  topic?: string;
  device?: string;
  direction?: "inbound" | "outbound";
  contains?: string;
}

/** What the analytics are about. */
export interface AnalyticsSearch {
  range?: "week" | "month";
  by?: "type" | "room";
}

/** Which part of the page is shown. */
export interface AlertsSearch {
  tab?: "now" | "history";
}

/** Which part of the settings is shown. */
export interface SettingsSearch {
  tab?: "calls" | "notifications" | "storage";
}

/** What of the duty page is shown, and the week of the plan as its first day. */
export interface DutySearch {
  tab?: "week" | "crew";
  week?: string;
}

/** What the response times are about. */
export interface StatisticsSearch {
  by?: "team" | "kind" | "hour" | "day";
  range?: "day" | "month" | "quarter";
}

/** Which results of a job are shown. */
export interface JobSearch {
  state?: string;
}

/** What of the audit is shown. */
export interface AuditSearch {
  action?: string | undefined;
  actor?: string | undefined;
  target?: string | undefined;
  /** RFC 3339. */
  from?: string | undefined;
  to?: string | undefined;
}

function oneOf<V extends string>(value: unknown, ...values: V[]): V | undefined {
  return values.find((v) => v === value);
}

/** The entries that a page knows, as far as they are texts. */
function texts<K extends string>(search: Record<string, unknown>, ...keys: K[]): Partial<Record<K, string>> {
  return Object.fromEntries(keys.flatMap((k) => (typeof search[k] === "string" && search[k] !== "" ? [[k, search[k]]] : []))) as Partial<Record<K, string>>;
}

const root = createRootRoute({ component: Shell, notFoundComponent: Missing });
const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/mqtt/dashboard", replace: true });
  },
});
const calls = createRoute({ getParentRoute: () => root, path: "/mqtt/dashboard", component: CallsPage });
const devices = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/devices",
  component: DevicesPage,
  validateSearch: (search: Record<string, unknown>): DevicesSearch => ({
    ...(typeof search["filter"] === "string" && search["filter"] ? { filter: search["filter"] } : {}),
    ...(typeof search["sort"] === "string" ? { sort: search["sort"] } : {}),
    ...(search["view"] === "table" ? { view: "table" as const } : {}),
  }),
});
const people = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/people",
  component: lazyRouteComponent(() => import("./people/PeoplePage"), "PeoplePage"),
  validateSearch: (search: Record<string, unknown>): { tab?: string } => (typeof search["tab"] === "string" && search["tab"] ? { tab: search["tab"] } : {}),
});

// Pages that a call does not wait for come when they are opened.
const device = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/devices/$deviceId",
  component: lazyRouteComponent(() => import("./device/DevicePage"), "DevicePage"),
});
const jobs = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/jobs",
  component: lazyRouteComponent(() => import("./jobs/JobsPage"), "JobsPage"),
});
const job = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/jobs/$jobId",
  component: lazyRouteComponent(() => import("./jobs/JobPage"), "JobPage"),
  validateSearch: (search: Record<string, unknown>): JobSearch => texts(search, "state"),
});
const provision = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/devices/provision",
  component: lazyRouteComponent(() => import("./provision/ProvisionPage"), "ProvisionPage"),
  validateSearch: (search: Record<string, unknown>): ProvisionSearch => texts(search, "replace", "token"),
});
const labels = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/devices/provision/labels",
  component: lazyRouteComponent(() => import("./provision/LabelsPage"), "LabelsPage"),
  validateSearch: (search: Record<string, unknown>): LabelsSearch => texts(search, "type", "room", "profile"),
});
const security = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/security",
  component: lazyRouteComponent(() => import("./security/SecurityPage"), "SecurityPage"),
});
const certificates = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/security/certificates",
  component: lazyRouteComponent(() => import("./security/CertificatesPage"), "CertificatesPage"),
  validateSearch: (search: Record<string, unknown>): CertificatesSearch => texts(search, "filter", "sort", "serial"),
});
const acl = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/security/acl",
  component: lazyRouteComponent(() => import("./security/AclPage"), "AclPage"),
  validateSearch: (search: Record<string, unknown>): AclSearch => {
    const tab = oneOf(search["tab"], "profiles", "rules", "test");
    const add = oneOf(search["add"], "profile", "acl", "rule");
    return { ...(tab ? { tab } : {}), ...(add ? { add } : {}), ...texts(search, "profile", "acl", "client", "action", "topic") };
  },
});
const audit = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/audit",
  component: lazyRouteComponent(() => import("./audit/AuditPage"), "AuditPage"),
  validateSearch: (search: Record<string, unknown>): AuditSearch => texts(search, "action", "actor", "target", "from", "to"),
});
const traffic = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/traffic",
  component: lazyRouteComponent(() => import("./traffic/TrafficPage"), "TrafficPage"),
  validateSearch: (search: Record<string, unknown>): TrafficSearch => {
    const direction = oneOf(search["direction"], "inbound", "outbound");
    return { ...texts(search, "topic", "device", "contains"), ...(direction ? { direction } : {}) };
  },
});
const analytics = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/traffic/analytics",
  component: lazyRouteComponent(() => import("./traffic/AnalyticsPage"), "AnalyticsPage"),
  validateSearch: (search: Record<string, unknown>): AnalyticsSearch => {
    const range = oneOf(search["range"], "week", "month");
    const by = oneOf(search["by"], "type", "room");
    return { ...(range ? { range } : {}), ...(by ? { by } : {}) };
  },
});
const uplink = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/uplink",
  component: lazyRouteComponent(() => import("./uplink/UplinkPage"), "UplinkPage"),
});
const statistics = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/requests/statistics",
  component: lazyRouteComponent(() => import("./statistics/StatisticsPage"), "StatisticsPage"),
  validateSearch: (search: Record<string, unknown>): StatisticsSearch => {
    const by = oneOf(search["by"], "team", "kind", "hour", "day");
    const range = oneOf(search["range"], "day", "month", "quarter");
    return { ...(by ? { by } : {}), ...(range ? { range } : {}) };
  },
});
const story = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/requests/$requestId",
  component: lazyRouteComponent(() => import("./story/StoryPage"), "StoryPage"),
});
const rooms = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/rooms",
  component: lazyRouteComponent(() => import("./rooms/RoomsPage"), "RoomsPage"),
});
const duty = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/duty",
  component: lazyRouteComponent(() => import("./duty/DutyPage"), "DutyPage"),
  validateSearch: (search: Record<string, unknown>): DutySearch => {
    const tab = oneOf(search["tab"], "week", "crew");
    return { ...(tab ? { tab } : {}), ...texts(search, "week") };
  },
});
const walk = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/walk",
  component: lazyRouteComponent(() => import("./walk/WalkPage"), "WalkPage"),
});
const settings = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/settings",
  component: lazyRouteComponent(() => import("./settings/SettingsPage"), "SettingsPage"),
  validateSearch: (search: Record<string, unknown>): SettingsSearch => {
    const tab = oneOf(search["tab"], "calls", "notifications", "storage");
    return tab ? { tab } : {};
  },
});
const trust = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/trust",
  component: lazyRouteComponent(() => import("./trust/TrustPage"), "TrustPage"),
});
const alerts = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/alerts",
  component: lazyRouteComponent(() => import("./alerts/AlertsPage"), "AlertsPage"),
  validateSearch: (search: Record<string, unknown>): AlertsSearch => {
    const tab = oneOf(search["tab"], "now", "history");
    return tab ? { tab } : {};
  },
});
const about = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/about",
  component: lazyRouteComponent(() => import("./about/AboutPage"), "AboutPage"),
});
const welcome = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/welcome",
  component: lazyRouteComponent(() => import("./welcome/WelcomePage"), "WelcomePage"),
});

const routeTree = root.addChildren([
  home, calls, devices, device, jobs, job, provision, labels, security, certificates, acl, audit, people, traffic, analytics, uplink, statistics, story, rooms, duty, walk,
  trust, alerts, settings, about, welcome,
]);

export function makeRouter() {
  return createRouter({ routeTree, scrollRestoration: true });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
