import { Mark, OfflineBanner, StalePill } from "@obedio/web";
import { Radio } from "lucide-react";
import { useEffect, type ReactNode } from "react";
import { useConsole, useReach, useT } from "../context";

export interface PageProps {
  title: ReactNode;
  /** For the browser's tab, when title is not plain text. */
  name: string;
  actions?: ReactNode;
  children: ReactNode;
}

/** Header and content of a page. Says once for the page when it is stale or offline. */
export function Page({ title, name, actions, children }: PageProps) {
  const t = useT();
  const reach = useReach();
  const console = useConsole();
  useEffect(() => {
    document.title = `${name} · ${t("app.name")}`;
  }, [name, t]);
  return (
    <>
      <header className="border-b border-line px-4 py-3 sm:px-6">
        <div className="mx-auto flex max-w-480 flex-wrap items-center justify-between gap-x-6 gap-y-2">
          <h1 className="min-w-0 text-lg font-semibold">{title}</h1>
          <div className="flex flex-wrap items-center gap-3">
            {actions}
            {reach.kind === "live" && <Mark tone="ok" icon={Radio} className="text-sm">{t("app.live")}</Mark>}
          </div>
        </div>
      </header>
      <main id="content" tabIndex={-1} className="mx-auto w-full max-w-480 px-4 py-5 outline-none sm:px-6">
        {reach.kind === "offline" && <OfflineBanner since={reach.since} onRetry={console.retry} />}
        {reach.kind === "stale" && <StalePill asOf={reach.asOf} />}
        {children}
      </main>
    </>
  );
}
