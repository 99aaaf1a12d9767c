import { OfflineBanner, RelativeTime, StalePill, useCell } from "@obedio/web";
import { useEffect, type ReactNode } from "react";
import { AlertBell } from "../alerts/AlertBell";
import { useHub, useReach, useSystem, useT } from "../context";
import { QueueBadge } from "../queue/QueuePanel";
import { ShoreLink } from "./ShoreLink";

export interface PageProps {
  title: string;
  actions?: ReactNode;
  children: ReactNode;
}

/** Header and content of a page. Says once for the page when it is stale or offline. */
export function Page({ title, actions, children }: PageProps) {
  const t = useT();
  const system = useSystem();
  const reach = useReach();
  const hub = useHub();
  const kept = useCell(hub.keptAt);
  useEffect(() => {
    document.title = `${title} · ${system?.site_name ?? t("app.name")}`;
  }, [title, system?.site_name, t]);
  return (
    <>
      <header className="print:hidden border-b border-line px-4 py-3 sm:px-6 md:py-4">
        <div className="mx-auto flex max-w-400 flex-wrap items-center justify-between gap-x-4 gap-y-3">
          <div className="flex min-w-0 flex-1 flex-wrap items-baseline gap-x-3">
            <h1 className="text-lg font-semibold">{title}</h1>
            <p className="truncate text-sm text-fg-muted">{system?.site_name}</p>
          </div>
          {actions}
          <div className="flex min-w-0 basis-full flex-wrap items-center gap-2 empty:hidden sm:basis-auto">
            <QueueBadge />
            <AlertBell />
            {system && <ShoreLink uplink={system.uplink} />}
          </div>
        </div>
      </header>
      <main id="content" tabIndex={-1} className="mx-auto w-full max-w-400 px-4 py-5 outline-none sm:px-6">
        {reach.kind === "offline" && (
          <OfflineBanner since={reach.since} onRetry={hub.retry}>
            {t("queue.offline")}
            {kept !== undefined && <> {t("queue.kept")} <RelativeTime at={kept} />.</>}
          </OfflineBanner>
        )}
        {reach.kind === "stale" && <StalePill asOf={reach.asOf} />}
        {children}
      </main>
    </>
  );
}
