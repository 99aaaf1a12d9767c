import {
  Button, Choice, DataView, Facts, LinkStateBadge, Mark, RelativeTime, Section, Skeletons, useDerived, useFormats, type Collection,
} from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { ClockAlert } from "lucide-react";
import { useState } from "react";
import type { Ending, Forecast, Site } from "../api/resources";
import { useConsole, usePermits, useSystem, useT } from "../context";
import { useReading } from "../lists";
import { fleetSecurity as texts } from "../messages/security";
import { Page } from "../shell/Page";

const spans = ["30", "90", "366"] as const;

/** What ends when, who is shut out, and whose word counts. */
export function SecurityPage() {
  const t = useT(texts);
  const may = usePermits("security.read");
  return (
    <Page title={t("fleetSecurity.title")} name={t("fleetSecurity.title")}>
      <DataView state={may ? { kind: "live" } : { kind: "unavailable", why: "forbidden", needs: "security.read" }} empty={{ title: t("fleetSecurity.title") }} skeleton={null}>
        <div className="flex flex-col gap-5">
          <Endings />
          <div className="grid items-start gap-5 lg:grid-cols-2">
            <Authority />
            <Revoked />
          </div>
        </div>
      </DataView>
    </Page>
  );
}

function Endings() {
  const t = useT(texts);
  const { number } = useFormats();
  const [days, setDays] = useState<(typeof spans)[number]>("90");
  const [shown, setShown] = useState(50);
  const { data, state, again } = useReading<Forecast>(`/security/forecast?days=${days}&limit=${shown}`, 60_000);
  return (
    <Section title={t("forecast.title")} note={data && t("forecast.total", { shown: number(data.total) })} testId="forecast">
      <div className="flex flex-col gap-4 p-4">
        <Choice legend={t("forecast.days")} value={days} options={spans.map((value) => ({ value, label: t("forecast.span", { n: Number(value) }) }))} onChange={setDays} />
        <DataView state={state} quietLink onRetry={again} empty={{ title: t("forecast.empty") }} skeleton={<Skeletons count={3} itemClass="h-9" className="flex flex-col gap-3" />}>
          {data && data.total > 0 && <Weeks weeks={data.weeks} />}
          {data && !data.whole && <p className="text-xs text-warn">{t("forecast.partly")}</p>}
          {data && data.total === 0 && <p className="text-sm text-fg-muted">{`${t("forecast.empty")}. ${t("forecast.empty.detail")}`}</p>}
        </DataView>
      </div>
      {data && data.items.length > 0 && (
        <div className="overflow-x-auto border-t border-line">
          <table className="w-full min-w-160 text-sm">
            <thead className="text-left text-xs text-fg-dim">
              <tr>
                <th scope="col" className="px-4 py-2 font-normal">{t("forecast.col.site")}</th>
                <th scope="col" className="px-4 py-2 font-normal">{t("forecast.col.what")}</th>
                <th scope="col" className="px-4 py-2 font-normal">{t("forecast.col.link")}</th>
                <th scope="col" className="px-4 py-2 font-normal">{t("forecast.col.ends")}</th>
              </tr>
            </thead>
            <tbody>{data.items.map((e) => <Row key={`${e.site_id}/${e.kind}/${e.device_id ?? ""}`} ending={e} />)}</tbody>
          </table>
          {data.next_cursor && <div className="flex justify-center p-4"><Button onClick={() => setShown(shown + 150 > 500 ? 500 : shown + 150)}>{t("forecast.more")}</Button></div>}
        </div>
      )}
    </Section>
  );
}

function Row({ ending: e }: { ending: Ending }) {
  const t = useT(texts);
  return (
    <tr className="border-t border-line/60">
      <td className="px-4 py-2"><Link to="/sites/$siteId" params={{ siteId: e.site_id }} className="underline-offset-4 hover:underline">{e.site_name}</Link></td>
      <td className="px-4 py-2">
        {t(`forecast.kind.${e.kind}`)}
        {e.device_id && <Link to="/sites/$siteId/devices/$deviceId" params={{ siteId: e.site_id, deviceId: e.device_id }} className="ml-2 text-fg-muted underline-offset-4 hover:underline">{e.device_id}</Link>}
      </td>
      <td className="px-4 py-2">{e.link_state && <LinkStateBadge bare state={e.link_state} />}</td>
      <td className="px-4 py-2">{e.ended ? <Mark tone="bad" icon={ClockAlert}>{t("forecast.ended")}</Mark> : <RelativeTime at={e.not_after} />}</td>
    </tr>
  );
}

/** How many end in which week: bars, each with its numbers in words. */
function Weeks({ weeks }: { weeks: Forecast["weeks"] }) {
  const t = useT(texts);
  const { number, day } = useFormats();
  const most = Math.max(1, ...weeks.map((w) => w.hubs + w.sites + w.devices));
  return (
    <div>
      <ul aria-label={t("forecast.weeks")} className="flex h-28 items-end gap-px">
        {weeks.map((w) => {
          const parts = [[t("forecast.hubs"), w.hubs, "bg-bad"], [t("forecast.sites"), w.sites, "bg-warn"], [t("forecast.devices"), w.devices, "bg-accent"]] as const;
          const words = t("forecast.week", { from: day(Date.parse(w.from)), n: parts.map(([name, n]) => `${number(n)} ${name}`).join(", ") });
          return (
            <li key={w.from} title={words} className="flex h-full min-w-0 flex-1 flex-col justify-end rounded-sm bg-ink-800">
              <span className="sr-only">{words}</span>
              {parts.map(([name, n, fill]) => n > 0 && <span key={name} aria-hidden className={fill} style={{ height: `${Math.max(3, (100 * n) / most)}%` }} />)}
            </li>
          );
        })}
      </ul>
      <p className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-xs text-fg-muted">
        {([["forecast.hubs", "bg-bad"], ["forecast.sites", "bg-warn"], ["forecast.devices", "bg-accent"]] as const).map(([word, fill]) => (
          <span key={word} className="inline-flex items-center gap-1.5"><span aria-hidden className={`size-2.5 rounded-sm ${fill}`} />{t(word)}</span>
        ))}
      </p>
    </div>
  );
}

function Authority() {
  const t = useT(texts);
  const system = useSystem();
  return (
    <Section title={t("fleetSecurity.authority")} note={t("fleetSecurity.rootHint")}>
      <Facts
        items={[
          { label: t("fleetSecurity.root"), value: <code className="font-mono text-xs break-all">{system?.fleet_root_sha256}</code> },
          { label: t("fleetSecurity.link"), value: <code className="font-mono text-xs break-all">{system?.hublink_address}</code> },
        ]}
      />
    </Section>
  );
}

const revoked = (sites: Collection<Site>) => [...sites.values()].filter((s) => s.link_state === "revoked").sort((a, b) => b.link_since.localeCompare(a.link_since));

function Revoked() {
  const t = useT(texts);
  const all = useDerived(useConsole().sites, revoked);
  return (
    <Section title={t("revocations.title")} note={t("revocations.lead")}>
      {all.length === 0 ? <p className="p-4 text-sm text-fg-muted">{t("revocations.none")}</p> : (
        <ul className="divide-y divide-line/60">
          {all.map((s) => (
            <li key={s.site_id} className="flex flex-wrap items-center gap-3 px-4 py-2.5 text-sm">
              <Link to="/sites/$siteId" params={{ siteId: s.site_id }} className="min-w-0 flex-1 truncate font-medium underline-offset-4 hover:underline">{s.name}</Link>
              <LinkStateBadge bare state={s.link_state} />
              <RelativeTime at={s.link_since} className="text-xs text-fg-dim" />
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}
