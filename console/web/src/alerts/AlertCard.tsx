import { Button, Facts, Fold, Pill, RelativeTime, classes, toneText, useFormats, useToast, useWork } from "@obedio/web";
import { alertStateLooks, severityLooks } from "@obedio/web/alerts";
import { Link } from "@tanstack/react-router";
import { Check, UserCheck } from "lucide-react";
import type { FleetAlert } from "../api/resources";
import { useCanWrite, useConsole, usePermits, useT } from "../context";
import { alerts as texts } from "../messages/alerts";
import { digestParts, isGone, useAlertWords } from "./words";

const link = "text-accent-fg underline underline-offset-4";

/** One alert, with when it happened and when it arrived: after a long absence they are far apart. */
export function AlertCard({ alert, ofSite = false, onChanged }: { alert: FleetAlert; ofSite?: boolean; onChanged?: (alert: FleetAlert) => void }) {
  const t = useT(texts);
  const words = useAlertWords();
  const { number } = useFormats();
  const severity = severityLooks[alert.severity];
  const gone = isGone(alert);
  const own = alert.origin === "console";
  const state = alertStateLooks[alert.state];
  const digest = alert.kind === "site_returned";
  const stateWord = own && (alert.state === "active" || alert.state === "acknowledged") ? t(`alerts.ownState.${alert.state}`) : t(`alerts.state.${alert.state}`);
  return (
    <li
      data-testid="alert"
      data-alert-id={alert.alert_id}
      data-site-id={alert.site_id}
      data-kind={alert.kind}
      data-severity={alert.severity}
      data-state={alert.state}
      data-seen={alert.seen_at !== undefined}
      className={classes(
        "flex flex-wrap items-start gap-x-4 gap-y-3 rounded-card border bg-ink-850 px-4 py-3",
        alert.open && !alert.seen_at && alert.severity === "critical" && !gone ? "border-bad" : alert.open && !alert.seen_at ? "border-edge" : "border-line",
      )}
    >
      <severity.icon aria-hidden className={classes("mt-0.5 size-5 shrink-0", gone ? "text-fg-dim" : toneText[severity.tone])} />
      <div className="min-w-0 flex-1 basis-64">
        <p className="flex flex-wrap items-baseline gap-x-2">
          <span className={classes("text-xs font-semibold", gone ? "text-fg-muted" : toneText[severity.tone])}>{t(`alerts.severity.${alert.severity}`)}</span>
          <span className="text-sm font-medium">{words.title(alert)}</span>
          {!ofSite && <Link to="/sites/$siteId" params={{ siteId: alert.site_id }} className={classes(link, "text-sm")}>{alert.site_name}</Link>}
        </p>
        <p className="mt-1 flex flex-wrap gap-x-3 gap-y-0.5 text-xs text-fg-muted">
          <Subject alert={alert} />
          <span>{t("alerts.since")} <RelativeTime at={alert.since} /></span>
          <span>{t("alerts.arrived")} <RelativeTime at={alert.arrived_at} /></span>
          <span className="text-fg-dim">{t(`alerts.origin.${alert.origin}`)}</span>
          {alert.occurrences > 1 && <span>{t("alerts.times", { n: number(alert.occurrences) })}</span>}
        </p>
        {digest ? <Digest alert={alert} /> : !gone && words.action(alert) && <p className="mt-1.5 text-sm">{words.action(alert)}</p>}
        {alert.members.length > 0 && !digest && (
          <p className="mt-1.5 text-xs break-words text-fg-muted">
            {t("alerts.members")}: {alert.members.join(", ")}{(alert.count ?? 0) > alert.members.length && ` ${t("alerts.more", { n: number((alert.count ?? 0) - alert.members.length) })}`}
          </p>
        )}
        {!digest && Object.keys(alert.detail).length > 0 && (
          <Fold title={<>{t("alerts.details")}<span className="sr-only"> {words.title(alert)}, {alert.site_name}</span></>}>
            <Facts className="px-0! pt-1! pb-2!" items={Object.entries(alert.detail).map(([key, value]) => ({ label: key.replaceAll("_", " "), value: <span className="break-words">{value}</span> }))} />
          </Fold>
        )}
        <p className="mt-2 flex flex-wrap items-center gap-x-2 gap-y-1 text-xs">
          {!digest && <Pill tone={state.tone} icon={state.icon} wraps>{stateWord}</Pill>}
          {alert.seen_by && alert.seen_at && (
            <Pill tone="idle" icon={UserCheck} wraps>{t("alerts.seen", { name: alert.seen_by.name || alert.seen_by.id })}</Pill>
          )}
          {alert.seen_at && <RelativeTime at={alert.seen_at} className="text-fg-dim" />}
        </p>
      </div>
      {!alert.seen_at && alert.open && <Acknowledge alert={alert} title={words.title(alert)} onChanged={onChanged} />}
    </li>
  );
}

function Digest({ alert }: { alert: FleetAlert }) {
  const t = useT(texts);
  const parts = digestParts.flatMap((name) => {
    const n = Number(alert.detail[name] ?? 0);
    return n > 0 ? [{ name, text: t(`digest.${name}`, { n }) }] : [];
  });
  return (
    <div className="mt-1.5 text-sm">
      <p className="flex flex-wrap gap-x-2 text-fg-muted">
        {t("alerts.digest")}
        {alert.detail["away_since"] && <RelativeTime at={alert.detail["away_since"]} bare />}
      </p>
      {parts.length === 0 ? <p>{t("digest.nothing")}</p> : (
        <ul className="mt-1 flex flex-wrap gap-x-4 gap-y-1">
          {parts.map((p) => <li key={p.name} className={p.name === "requests_missed" || p.name === "emergencies" || p.name === "orders_conflict" ? "font-medium text-warn" : ""}>{p.text}</li>)}
        </ul>
      )}
    </div>
  );
}

function Subject({ alert }: { alert: FleetAlert }) {
  const t = useT(texts);
  const { number } = useFormats();
  if (alert.count && alert.kind !== "site_returned") return <span>{t("alerts.about", { n: number(alert.count) })}</span>;
  if (!alert.subject) return null;
  if (alert.subject_kind === "device") {
    return (
      <span>
        <Link to="/sites/$siteId/devices/$deviceId" params={{ siteId: alert.site_id, deviceId: alert.subject }} className={link}>{alert.subject}</Link>
        {alert.room && ` · ${alert.room_name ?? alert.room}`}
      </span>
    );
  }
  return <span className="break-all">{alert.subject}</span>;
}

function Acknowledge({ alert, title, onChanged }: { alert: FleetAlert; title: string; onChanged?: ((alert: FleetAlert) => void) | undefined }) {
  const t = useT(texts);
  const console = useConsole();
  const toast = useToast();
  const work = useWork();
  const may = usePermits("alerts.acknowledge");
  const canWrite = useCanWrite();
  if (!may) return null;
  const run = async () => {
    const done = await work.run(async () => onChanged?.(await console.acknowledge(alert)));
    if (done) toast({ tone: "ok", title: t("alerts.acked"), detail: `${title} · ${alert.site_name}` });
  };
  return (
    <div className="flex flex-wrap items-center gap-2 max-sm:basis-full">
      {work.failure && <p role="status" className="basis-full text-sm text-bad">{work.failure}</p>}
      <Button icon={Check} busy={work.busy} disabled={!canWrite} aria-label={t("alerts.ackLabel", { title, site: alert.site_name })} onClick={() => void run()}>
        {t("alerts.ack")}
      </Button>
    </div>
  );
}
