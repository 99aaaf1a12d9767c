import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { CallsPage } from "./calls/CallsPage";
import { DevicePage } from "./device/DevicePage";
import { DevicesPage } from "./devices/DevicesPage";
import { Missing } from "./shell/Missing";
import { Shell } from "./shell/Shell";

/** What the address of the Devices page holds, so that a view can be kept and shared. */
export interface DevicesSearch {
  filter?: string;
  sort?: string;
  view?: "grid" | "table";
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
const device = createRoute({ getParentRoute: () => root, path: "/mqtt/devices/$deviceId", component: DevicePage });
const people = createRoute({
  getParentRoute: () => root,
  path: "/mqtt/people",
  component: lazyRouteComponent(() => import("./people/PeoplePage"), "PeoplePage"),
  validateSearch: (search: Record<string, unknown>): { tab?: string } => (typeof search["tab"] === "string" && search["tab"] ? { tab: search["tab"] } : {}),
});

const routeTree = root.addChildren([home, calls, devices, device, people]);

export function makeRouter() {
  return createRouter({ routeTree, scrollRestoration: true });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
