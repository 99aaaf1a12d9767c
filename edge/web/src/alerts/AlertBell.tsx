import { classes, toneText, useDerived, type Collection } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { Bell, BellRing } from "lucide-react";
import type { Alert } from "../api/resources";
import { useHub, usePermits, useT } from "../context";
import { countAlerts, severityLooks } from "./alert";

const waiting = (alerts: Collection<Alert>) => countAlerts(alerts.values());

/** In the header of every page: how many alerts want somebody. */
export function AlertBell() {
  const may = usePermits("alerts.read");
  return may ? <Bells /> : null;
}

function Bells() {
  const t = useT();
  const { n, critical, worst } = useDerived(useHub().alerts, waiting);
  const Icon = worst ? BellRing : Bell;
  return (
    <Link
      to="/mqtt/alerts"
      data-testid="bell"
      data-count={n}
      aria-label={t("nav.bell", { n, critical })}
      title={t("nav.bell", { n, critical })}
      className="inline-flex min-h-control min-w-control items-center justify-center gap-2 rounded-full border border-edge px-3 text-sm text-fg-muted transition-colors duration-150 hover:bg-ink-800"
    >
      <Icon aria-hidden className={classes("size-4.5 shrink-0", worst && toneText[severityLooks[worst].tone])} />
      {n > 0 && <span aria-hidden className={classes("font-semibold tabular-nums", worst && toneText[severityLooks[worst].tone])}>{n}</span>}
    </Link>
  );
}
