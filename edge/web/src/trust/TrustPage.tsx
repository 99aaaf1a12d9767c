import {
  DataView, Facts, Fold, Pill, RelativeTime, Skeletons, classes, spanOf, toneText, useClock, useFormats, useWebMessages, type Look,
} from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleHelp, OctagonAlert, TriangleAlert } from "lucide-react";
import { useCallback } from "react";
import type { Trust, TrustItem } from "../api/resources";
import { usePermits, useT } from "../context";
import { trust as texts } from "../messages/trust";
import { useReading } from "../reading";
import { ButtonLink } from "../shell/ButtonLink";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { Backups } from "./Backups";
import { SelfTestCard } from "./SelfTestCard";
import { SupportCard } from "./SupportCard";

/** Milliseconds between two readings while the page is open. */
const readEvery = 5000;

/** How the states look. What is not known is never green. */
export const trustLooks: Record<TrustItem["state"], Look> = {
  ok: { icon: CircleCheck, tone: "ok" },
  unknown: { icon: CircleHelp, tone: "idle" },
  warn: { icon: TriangleAlert, tone: "warn" },
  bad: { icon: OctagonAlert, tone: "bad" },
};

/** "Can I trust this thing?", a line for each part. */
export function TrustPage() {
  const t = useT(texts);
  return (
    <Page title={t("trust.title")}>
      <Guard needs="system.read"><Shown /></Guard>
    </Page>
  );
}

function Shown() {
  const t = useT(texts);
  const { data, state, again } = useReading<Trust>("/trust", readEvery);
  const mayBackUp = usePermits("backups.write");
  const maySupport = usePermits("system.write");
  return (
    <div className="flex flex-col gap-5">
      <DataView
        state={state}
        quietLink
        onRetry={again}
        empty={{ title: t("trust.all.unknown") }}
        skeleton={<Skeletons count={7} itemClass="h-20" className="flex flex-col gap-3" />}
      >
        {data && <Items trust={data} />}
      </DataView>
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-2">
        <SelfTestCard onTried={again} />
        <div className="flex flex-col gap-5">
          {mayBackUp && <Backups onChanged={again} />}
          {maySupport && <SupportCard />}
        </div>
      </div>
    </div>
  );
}

function Items({ trust }: { trust: Trust }) {
  const t = useT(texts);
  const look = trustLooks[trust.state];
  return (
    <div data-testid="trust" data-state={trust.state} className="flex flex-col gap-4">
      <div role="status" className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-card border border-line bg-ink-850 p-5">
        <look.icon aria-hidden className={classes("size-10 shrink-0", toneText[look.tone])} />
        <div className="min-w-0 flex-1 basis-60">
          <p className={classes("text-lg font-semibold", toneText[look.tone])}>{t(`trust.all.${trust.state}`)}</p>
          <p className="mt-0.5 text-sm text-fg-muted">{t(`trust.all.${trust.state}.detail`)}</p>
        </div>
        <p className="text-xs text-fg-dim">{t("trust.asOf")} <RelativeTime at={trust.as_of} /></p>
      </div>
      <ul className="grid grid-cols-[minmax(0,1fr)] gap-3 lg:grid-cols-2">
        {trust.items.map((item) => <Item key={item.id} item={item} />)}
      </ul>
    </div>
  );
}

function Item({ item }: { item: TrustItem }) {
  const t = useT(texts);
  const ago = useAgo();
  const look = trustLooks[item.state];
  const name = t(`trust.item.${item.id}`);
  const todo = t("trust.do", { item });
  return (
    <li data-testid="trust-item" data-item={item.id} data-state={item.state} className={classes("flex flex-col rounded-card border bg-ink-850 p-4", item.state === "bad" ? "border-bad" : "border-line")}>
      <div className="flex flex-wrap items-center justify-between gap-x-3 gap-y-2">
        <h2 className="text-base font-medium">{name}</h2>
        <Pill tone={look.tone} icon={look.icon}>{t(`trust.state.${item.state}`)}</Pill>
      </div>
      <p className="mt-1 text-sm break-words">{t("trust.known", { item, ago })}</p>
      {todo && item.state !== "ok" && <p className="mt-1 text-sm font-medium break-words">{todo}</p>}
      <p className="mt-2 flex flex-wrap gap-x-3 gap-y-1 text-xs text-fg-dim">
        {item.since && <span>{t("trust.since")} <RelativeTime at={item.since} bare /></span>}
        <span>{t("trust.asOf")} <RelativeTime at={item.as_of} /></span>
        {!item.counts && <span>{t("trust.counts.not")}</span>}
      </p>
      <div className="mt-auto flex flex-wrap items-start gap-x-4 gap-y-1 pt-2">
        <div className="min-w-0 flex-1 basis-40">
          {Object.keys(item.detail).length > 0 && (
            <Fold title={<>{t("trust.evidence")}<span className="sr-only"> {name}</span></>}>
              <Facts className="px-0! pt-1! pb-2!" items={Object.entries(item.detail).map(([key, value]) => ({ label: detailLabel(t, key), value: <Detail name={key} value={value} /> }))} />
            </Fold>
          )}
        </div>
        {item.alerts.length > 0 && <Link to="/mqtt/alerts" className="inline-flex min-h-control items-center text-sm text-accent-fg underline underline-offset-4">{t("trust.alerts", { n: item.alerts.length })}</Link>}
        <Way item={item} name={name} />
      </div>
    </li>
  );
}

function detailLabel(t: ReturnType<typeof useT<typeof texts>>, key: string): string {
  const id = `trust.detail.${key}`;
  return id in texts.en ? t(id as "trust.detail.level") : key.replaceAll("_", " ");
}

function Detail({ name, value }: { name: string; value: string }) {
  const { bytes, number } = useFormats();
  if (name.endsWith("_bytes")) return bytes(Number(value));
  if (name === "newest") return <RelativeTime at={value} />;
  return <span className="break-words">{/^\d+$/.test(value) ? number(Number(value)) : value}</span>;
}

/** Where more is said, or something can be done. */
function Way({ item, name }: { item: TrustItem; name: string }) {
  const t = useT(texts);
  const mayAudit = usePermits("audit.read");
  const label = <><span aria-hidden>{t("trust.open")}</span><span className="sr-only">{t("trust.open.of", { name })}</span></>;
  switch (item.id) {
    case "clock":
      return <ButtonLink kind="quiet" to="/mqtt/settings">{label}</ButtonLink>;
    case "uplink":
      return <ButtonLink kind="quiet" to="/mqtt/uplink">{label}</ButtonLink>;
    case "broker":
    case "devices":
      return <ButtonLink kind="quiet" to="/mqtt/devices" search={item.state === "ok" || item.id === "broker" ? {} : { filter: "-state:ready" }}>{label}</ButtonLink>;
    case "watches":
      return <ButtonLink kind="quiet" to="/mqtt/devices" search={{ filter: "type:watch" }}>{label}</ButtonLink>;
    case "audit":
      return mayAudit && <ButtonLink kind="quiet" to="/mqtt/audit">{label}</ButtonLink>;
    case "storage":
      return <ButtonLink kind="quiet" to="/mqtt/settings" search={{ tab: "storage" }}>{label}</ButtonLink>;
    case "notifications":
      return <ButtonLink kind="quiet" to="/mqtt/settings" search={{ tab: "notifications" }}>{label}</ButtonLink>;
    case "alerts":
      return <ButtonLink kind="quiet" to="/mqtt/alerts">{label}</ButtonLink>;
    case "updates":
      return <ButtonLink kind="quiet" to="/mqtt/about">{label}</ButtonLink>;
    default:
      return null;
  }
}

/** "3 d ago", for the middle of a sentence. */
function useAgo(): (at: string) => string {
  const t = useWebMessages();
  const clock = useClock();
  return useCallback((at) => t("time.ago", { span: spanOf(clock.now() - Date.parse(at)) }), [t, clock]);
}
