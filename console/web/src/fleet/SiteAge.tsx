import { RelativeTime, classes, useTicking } from "@obedio/web";
import type { Site } from "../api/resources";
import { useT } from "../context";
import { isOld } from "./sites";

/** True when what is known of the site is not live; follows the clock. */
export function useIsOld(site: Site): boolean {
  return useTicking((now) => isOld(site, now));
}

/** The data age: beside the link state, never merged with it. */
export function DataAge({ site, focusable = true, className }: { site: Site; focusable?: boolean; className?: string }) {
  const t = useT();
  const old = useIsOld(site);
  if (site.data_as_of === undefined) return <span className={classes("text-idle", className)}>{t("fleet.unknown")}</span>;
  return <RelativeTime at={site.data_as_of} focusable={focusable} className={classes(old ? "text-warn" : "text-fg-muted", className)} />;
}
