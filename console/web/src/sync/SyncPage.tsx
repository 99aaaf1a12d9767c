import { DataView, LinkStateBadge, RelativeTime, Section, Skeletons, classes, spanOf, toneText, useFormats, type Tone } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { CircleSlash, GitFork, MailX, OctagonPause, type LucideIcon } from "lucide-react";
import type { SyncHealth } from "../api/resources";
import { useT } from "../context";
import { backlogOf } from "../fleet/sites";
import { useReading } from "../lists";
import { health as texts } from "../messages/sync";
import { Page } from "../shell/Page";

/** How far the console is in sync with the hubs of all sites, and where it is not. */
export function SyncPage() {
  const t = useT(texts);
  const { data, state, again } = useReading<SyncHealth>("/sync", 5000);
  return (
    <Page title={t("health.title")} name={t("health.title")}>
      <DataView state={state} quietLink onRetry={again} empty={{ title: t("health.title") }} skeleton={<Skeletons count={3} itemClass="h-32" className="flex flex-col gap-5" />}>
        {data && <View data={data} />}
      </DataView>
    </Page>
  );
}

function View({ data }: { data: SyncHealth }) {
  const t = useT(texts);
  const { number } = useFormats();
  return (
    <div className="flex flex-col gap-5" data-testid="sync-health">
      <dl className="grid gap-3 [grid-template-columns:repeat(auto-fit,minmax(min(100%,11rem),1fr))]">
        <Tile icon={GitFork} tone="bad" label={t("health.outOfLine")} n={data.out_of_line} note={t("health.sites")} />
        <Tile icon={OctagonPause} tone="bad" label={t("health.stalled")} n={data.stalled} note={t("health.sites")} />
        <Tile icon={MailX} tone="warn" label={t("health.letters")} n={data.dead_letters} note={t("health.letterSites", { n: data.dead_letter_sites, shown: number(data.dead_letter_sites) })} />
        <Tile icon={CircleSlash} tone="warn" label={t("health.conflicts")} n={data.conflicts} note={t("health.ok")} />
      </dl>
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <Ages data={data} />
        <Lanes data={data} />
      </div>
      <Troubled data={data} />
    </div>
  );
}

function Tile({ icon: Icon, tone, label, n, note }: { icon: LucideIcon; tone: Tone; label: string; n: number; note: string }) {
  const t = useT(texts);
  const { number } = useFormats();
  return (
    <div className="rounded-card border border-line bg-ink-850 px-4 py-3">
      <dt className="text-xs text-fg-muted">{label}</dt>
      <dd className="mt-1 flex items-center justify-between gap-2">
        <span className="text-xl font-semibold tabular-nums">{number(n)}</span>
        <Icon aria-hidden className={classes("size-5", n > 0 ? toneText[tone] : "text-idle")} />
      </dd>
      <dd className="text-xs text-fg-muted">{n > 0 ? note : t("health.ok")}</dd>
    </div>
  );
}

function Ages({ data }: { data: SyncHealth }) {
  const t = useT(texts);
  const { number } = useFormats();
  const rows = [
    ...data.ages.map((a, i) => ({
      label: a.upto_s === undefined ? t("health.older") : t("health.upto", { span: spanOf(a.upto_s * 1000) }),
      n: a.sites, fill: i < 3 ? "bg-ok" : i < 5 ? "bg-warn" : "bg-bad",
    })),
    { label: t("health.unknown"), n: data.unknown, fill: "bg-edge" },
  ];
  const most = Math.max(1, ...rows.map((r) => r.n));
  return (
    <Section title={t("health.ages")}>
      <ul className="flex flex-col gap-2.5 p-4 text-sm">
        {rows.map((r) => (
          <li key={r.label} className="flex items-center gap-3">
            <span className="w-24 shrink-0 text-xs text-fg-muted">{r.label}</span>
            <span aria-hidden className="h-3 flex-1 overflow-hidden rounded-sm bg-ink-800"><span className={classes("block h-full", r.fill)} style={{ width: `${r.n > 0 ? Math.max(1, (100 * r.n) / most) : 0}%` }} /></span>
            <span className="w-16 shrink-0 text-right tabular-nums">{number(r.n)}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Lanes({ data }: { data: SyncHealth }) {
  const t = useT(texts);
  const { number } = useFormats();
  const lanes = new Map(data.lanes.map((l) => [l.lane, l]));
  return (
    <Section title={t("health.lanes")}>
      <table className="w-full text-sm">
        <thead className="text-xs text-fg-dim">
          <tr>
            <th scope="col" className="px-4 py-2 text-left font-normal">{t("health.lane")}</th>
            <th scope="col" className="px-4 py-2 text-right font-normal">{t("health.backlog")}</th>
            <th scope="col" className="px-4 py-2 text-right font-normal">{t("health.with")}</th>
            <th scope="col" className="px-4 py-2 text-right font-normal">{t("health.taken")}</th>
          </tr>
        </thead>
        <tbody>
          {data.ingested.map((l) => (
            <tr key={l.lane} className="border-t border-line/60">
              <th scope="row" className="px-4 py-2 text-left font-normal"><span className="mr-2 text-fg-dim tabular-nums">{l.lane}</span>{l.name}</th>
              <td className="px-4 py-2 text-right tabular-nums">{lanes.has(l.lane) ? number(lanes.get(l.lane)!.backlog) : ""}</td>
              <td className="px-4 py-2 text-right tabular-nums">{lanes.has(l.lane) ? number(lanes.get(l.lane)!.sites) : ""}</td>
              <td className="px-4 py-2 text-right text-fg-muted tabular-nums">{number(l.records)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

function Troubled({ data }: { data: SyncHealth }) {
  const t = useT(texts);
  const { number } = useFormats();
  return (
    <Section title={t("health.troubled")} note={data.troubled_more > 0 && t("health.more", { n: number(data.troubled_more) })}>
      {data.troubled.length === 0 ? <p className="p-4 text-sm text-fg-muted">{t("health.troubled.none")}</p> : (
        <div className="overflow-x-auto">
          <table className="w-full min-w-176 text-sm">
            <thead className="text-left text-xs text-fg-dim">
              <tr>
                <th scope="col" className="px-4 py-2 font-normal">{t("health.col.site")}</th>
                <th scope="col" className="px-4 py-2 font-normal">{t("health.col.link")}</th>
                <th scope="col" className="px-4 py-2 font-normal">{t("health.col.data")}</th>
                <th scope="col" className="px-4 py-2 font-normal">{t("health.col.moved")}</th>
                <th scope="col" className="px-4 py-2 text-right font-normal">{t("health.backlog")}</th>
                <th scope="col" className="px-4 py-2 font-normal">{t("health.col.wrong")}</th>
              </tr>
            </thead>
            <tbody>
              {data.troubled.map((s) => {
                const wrong = [
                  ...(s.verdict === "behind" || s.verdict === "diverged" || s.verdict === "fenced" ? [t(`verdict.${s.verdict}`)] : []),
                  ...(s.dead_letters > 0 ? [t("health.lettersOf", { n: s.dead_letters })] : []),
                  ...(s.conflicts > 0 ? [t("health.conflictsOf", { n: s.conflicts })] : []),
                ].join(" · ");
                return (
                  <tr key={s.site_id} className="border-t border-line/60">
                    <td className="px-4 py-2"><Link to="/sites/$siteId" params={{ siteId: s.site_id }} search={{ tab: "sync" }} className="font-medium underline-offset-4 hover:underline">{s.name}</Link></td>
                    <td className="px-4 py-2"><LinkStateBadge bare state={s.link_state} /></td>
                    <td className="px-4 py-2">{s.data_as_of ? <RelativeTime at={s.data_as_of} /> : t("fleet.unknown")}</td>
                    <td className="px-4 py-2">{s.moved_at ? <RelativeTime at={s.moved_at} /> : t("fleet.unknown")}</td>
                    <td className="px-4 py-2 text-right tabular-nums">{s.backlog ? number(backlogOf(s.backlog) ?? 0) : t("fleet.unknown")}</td>
                    <td className="px-4 py-2 text-fg-muted">{wrong}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}
