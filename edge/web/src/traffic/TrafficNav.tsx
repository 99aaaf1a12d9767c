import { Link, useRouterState } from "@tanstack/react-router";
import { useT } from "../context";
import { traffic } from "../messages/traffic";

const look =
  "-mb-px inline-flex min-h-control shrink-0 items-center border-b-2 border-transparent px-3 text-sm text-fg-muted -outline-offset-2! hover:text-fg aria-[current=page]:border-accent aria-[current=page]:font-medium aria-[current=page]:text-fg";

/** The pages about traffic, side by side. */
export function TrafficNav() {
  const t = useT(traffic);
  const path = useRouterState({ select: (s) => s.location.pathname });
  const current = (to: string) => (path === to ? ("page" as const) : undefined);
  return (
    <nav aria-label={t("traffic.nav")} className="-mx-4 mb-5 flex gap-1 overflow-x-auto border-b border-line px-4 sm:mx-0 sm:px-0">
      <Link to="/mqtt/traffic" activeOptions={{ exact: true, includeSearch: false }} aria-current={current("/mqtt/traffic")} className={look}>{t("traffic.nav.live")}</Link>
      <Link to="/mqtt/traffic/analytics" aria-current={current("/mqtt/traffic/analytics")} className={look}>{t("traffic.nav.analytics")}</Link>
    </nav>
  );
}
