import { Button, Facts, Fold, Pill, RelativeTime, classes, spanOf, toneText, useFormats, useItem, useToast, useWork, useWebMessages } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { BellOff, Check } from "lucide-react";
import { useState } from "react";
import type { Alert } from "../api/resources";
import { useCanWrite, useHub, usePermits, useT } from "../context";
import { alerts as texts } from "../messages/alerts";
import { alertStateLooks, severityLooks, wantsSomebody } from "./alert";
import { SilenceDialog } from "./SilenceDialog";
import { everywhere, useAlertWords } from "./words";

/** How many members of an alert about many are named at once. */
const named = 6;

/** One that stands, with what can be done about it. */
export function StandingAlert({ id }: { id: string }) {
  const alert = useItem(useHub().alerts, id);
  return alert ? <AlertCard alert={alert} /> : null;
}

export function AlertCard({ alert }: { alert: Alert }) {
  const t = useT(texts);
  const words = useAlertWords();
  const { number, minute } = useFormats();
  const severity = severityLooks[alert.severity];
  const state = alertStateLooks[alert.state];
  const over = alert.state === "cleared";
  const action = words.action(alert);
  return (
    <li
      data-testid="alert"
      data-alert-id={alert.alert_id}
      data-kind={alert.kind}
      data-severity={alert.severity}
      data-state={alert.state}
      className={classes("flex flex-wrap items-start gap-x-5 gap-y-3 rounded-card border bg-ink-850 p-4", wantsSomebody(alert) ? (alert.severity === "critical" ? "border-bad" : "border-edge") : "border-line")}
    >
      <severity.icon aria-hidden className={classes("mt-0.5 size-6 shrink-0", over ? "text-fg-dim" : toneText[severity.tone])} />
      <div className="min-w-0 flex-1 basis-64">
        <p className="flex flex-wrap items-baseline gap-x-2">
          <span className={classes("text-xs font-semibold", over ? "text-fg-muted" : toneText[severity.tone])}>{t(`alerts.severity.${alert.severity}`)}</span>
          <span className="text-base font-medium">{words.title(alert)}</span>
        </p>
        <p className="mt-0.5 flex flex-wrap gap-x-2 text-sm text-fg-muted">
          <Subject alert={alert} />
          {over ? (
            <>
              {alert.cleared_at && <span>{t("alerts.overAt")} <RelativeTime at={alert.cleared_at} /></span>}
              {alert.cleared_at && <Lasted alert={alert} />}
            </>
          ) : (
            <span>{t("alerts.since")} <RelativeTime at={alert.since} bare /></span>
          )}
          {alert.occurrences > 1 && <span>{t("alerts.times", { n: number(alert.occurrences) })}</span>}
        </p>
        {!over && action && <p className="mt-2 text-sm">{action}</p>}
        <Members alert={alert} />
        <Details alert={alert} title={words.title(alert)} />
        <p className="mt-2 flex flex-wrap items-center gap-x-2 gap-y-1">
          <Pill tone={state.tone} icon={state.icon} wraps>
            {alert.state === "acknowledged" && alert.acknowledged_by?.name ? t("alerts.seenBy", { name: alert.acknowledged_by.name }) : t(`alerts.state.${alert.state}`)}
            {alert.state === "silenced" && alert.silenced_until && ` ${t("alerts.until", { time: minute(Date.parse(alert.silenced_until)) })}`}
          </Pill>
          {alert.state === "acknowledged" && alert.acknowledged_at && <RelativeTime at={alert.acknowledged_at} className="text-xs text-fg-dim" />}
          {alert.state === "rectified" && alert.rectified_at && <span className="text-xs text-fg-dim">{t("alerts.gone")} <RelativeTime at={alert.rectified_at} /></span>}
          {over && alert.acknowledged_by?.name && <span className="text-xs text-fg-dim">{t("alerts.seenBy", { name: alert.acknowledged_by.name })}</span>}
        </p>
      </div>
      {!over && <Actions alert={alert} title={words.title(alert)} />}
    </li>
  );
}

function Lasted({ alert }: { alert: Alert }) {
  const t = useT(texts);
  const web = useWebMessages();
  const ms = Date.parse(alert.rectified_at ?? alert.cleared_at ?? alert.since) - Date.parse(alert.raised_at);
  return <span>{t("alerts.lasted", { span: web("time.span", { span: spanOf(ms) }) })}</span>;
}

function Subject({ alert }: { alert: Alert }) {
  const t = useT(texts);
  const { number } = useFormats();
  const device = useItem(useHub().devices, alert.subject_kind === "device" ? (alert.subject ?? "") : "");
  const link = "text-accent-fg underline underline-offset-4";
  if (alert.count) return <span>{t("alerts.about", { n: number(alert.count) })}</span>;
  if (alert.subject === everywhere) return null;
  if (!alert.subject) return alert.room ? <span>{alert.room_name ?? alert.room}</span> : null;
  switch (alert.subject_kind) {
    case "device":
      return (
        <>
          <Link to="/mqtt/devices/$deviceId" params={{ deviceId: alert.subject }} className={link}>{device?.name || alert.subject}</Link>
          {alert.room && <span>{alert.room_name ?? alert.room}</span>}
        </>
      );
    case "certificate":
      return <Link to="/mqtt/security/certificates" search={{ filter: alert.subject }} className={classes(link, "break-all")}>{alert.subject}</Link>;
    default:
      return <span>{alert.room_name ?? alert.subject}</span>;
  }
}

function Members({ alert }: { alert: Alert }) {
  const t = useT(texts);
  const { number } = useFormats();
  if (alert.members.length === 0) return null;
  const shown = alert.members.slice(0, named);
  const more = Math.max(alert.count ?? 0, alert.members.length) - shown.length;
  return (
    <p className="mt-2 text-xs break-words text-fg-muted">
      {t("alerts.members")}: {shown.join(", ")}{more > 0 && ` ${t("alerts.more", { n: number(more) })}`}
    </p>
  );
}

/** What the hub has seen, as it names it: for those who look for the cause. */
function Details({ alert, title }: { alert: Alert; title: string }) {
  const t = useT(texts);
  const all = Object.entries(alert.detail);
  if (all.length === 0) return null;
  return (
    <Fold title={<>{t("alerts.details")}<span className="sr-only"> {title}</span></>}>
      <Facts className="px-0! pt-1! pb-2!" items={all.map(([key, value]) => ({ label: key.replaceAll("_", " "), value: <span className="break-words">{value}</span> }))} />
    </Fold>
  );
}

function Actions({ alert, title }: { alert: Alert; title: string }) {
  const t = useT(texts);
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const may = usePermits("alerts.acknowledge");
  const canWrite = useCanWrite();
  const [silencing, setSilencing] = useState(false);
  if (!may) return null;
  const acknowledge = async () => {
    if (await work.run(() => hub.acknowledge(alert))) toast({ tone: "ok", title: t("alerts.acked"), detail: title });
  };
  return (
    <div className="flex flex-wrap items-center gap-2 max-sm:basis-full">
      {work.failure && <p role="status" className="basis-full text-sm text-bad">{work.failure}</p>}
      {alert.state !== "acknowledged" && (
        <Button kind={wantsSomebody(alert) ? "primary" : "secondary"} icon={Check} busy={work.busy} disabled={!canWrite} aria-label={t("alerts.ackLabel", { title })} onClick={() => void acknowledge()}>
          {t("alerts.ack")}
        </Button>
      )}
      {alert.state === "active" && (
        <Button icon={BellOff} disabled={!canWrite} aria-label={t("alerts.silenceLabel", { title })} onClick={() => setSilencing(true)}>{t("alerts.silence")}</Button>
      )}
      <SilenceDialog alert={alert} title={title} open={silencing} onClose={() => setSilencing(false)} />
    </div>
  );
}
