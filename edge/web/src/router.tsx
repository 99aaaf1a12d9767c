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
const settings = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/settings",
  component: lazyRouteComponent(() => import("./settings/SettingsPage"), "SettingsPage"),
});
const welcome = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/welcome",
  component: lazyRouteComponent(() => import("./welcome/WelcomePage"), "WelcomePage"),
});

const routeTree = root.addChildren([
  home, calls, devices, device, jobs, job, provision, labels, security, certificates, acl, audit, people, traffic, analytics, uplink, settings, welcome,
]);

export function makeRouter() {
  return createRouter({ routeTree, scrollRestoration: true });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
