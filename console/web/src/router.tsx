import { createRootRoute, createRoute, createRouter, redirect } from "@tanstack/react-router";
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

export const siteTabs = ["overview", "devices", "requests", "commands", "orders", "traffic", "sync"] as const;
export type SiteTab = (typeof siteTabs)[number];

export interface SiteSearch {
  tab?: SiteTab;
}

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

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
    return tab && tab !== "overview" ? { tab } : {};
  },
});
const siteDevice = createRoute({ getParentRoute: () => root, path: "/sites/$siteId/devices/$deviceId", component: SiteDevicePage });

const routeTree = root.addChildren([home, fleet, addSite, site, siteDevice]);

export function makeRouter() {
  return createRouter({ routeTree, scrollRestoration: true });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
