import { Button, DataView, Fold, RelativeTime, Section, Skeletons, useToast, useWork } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import type { Site, SitePolicy, SitePolicyDocument } from "../api/resources";
import { useCanWrite, useConsole, usePermits, useT } from "../context";
import { useReading } from "../lists";
import { templates as texts } from "../messages/templates";
import { Diff, StandingMark, useKindWord } from "../templates/parts";

/** What is wanted of a site's policy and what its hub has; what was changed on board is adopted or dropped here. */
export function PolicyCard({ site }: { site: Site }) {
  const t = useT(texts);
  const { data, state, again, put } = useReading<SitePolicy>(`/sites/${encodeURIComponent(site.site_id)}/policy`, 10_000);
  const managed = data?.documents.filter((d) => d.standing !== "unmanaged") ?? [];
  const others = (data?.documents.length ?? 0) - managed.length;
  return (
    <Section title={t("sitePolicy.title")} note={data && data.wanted_version > 0 && t("sitePolicy.wanted", { wanted: data.wanted_version, applied: data.applied_version })} actions={data && <StandingMark standing={data.standing} />} testId="site-policy">
      <DataView state={state} quietLink onRetry={again} empty={{ title: t("sitePolicy.none") }} skeleton={<Skeletons count={2} itemClass="h-9" className="flex flex-col gap-3 p-4" />}>
        {data && (
          <>
            {data.detail && <p className="border-b border-line px-4 py-2.5 text-sm text-bad">{data.detail}</p>}
            {managed.length === 0 ? <p className="p-4 text-sm text-fg-muted">{t("sitePolicy.none")}</p> : (
              <ul className="divide-y divide-line/60">{managed.map((d) => <Row key={d.document} site={site} document={d} onChanged={put} />)}</ul>
            )}
            {others > 0 && <p className="border-t border-line px-4 py-2.5 text-xs text-fg-dim">{t("sitePolicy.unmanaged", { n: others })}</p>}
          </>
        )}
      </DataView>
    </Section>
  );
}

function Row({ site, document: d, onChanged }: { site: Site; document: SitePolicyDocument; onChanged: (p: SitePolicy) => void }) {
  const t = useT(texts);
  const console = useConsole();
  const toast = useToast();
  const word = useKindWord();
  const may = usePermits("templates.write");
  const canWrite = useCanWrite();
  const work = useWork();
  const differs = d.board !== undefined && d.standing !== "in_sync";
  const own = d.policy_id?.startsWith("site.");
  const decide = async (what: "adopt" | "drop") => {
    const done = await work.run(async () => onChanged(await console.api.post<SitePolicy>(`/sites/${encodeURIComponent(site.site_id)}/policy/${what}`, { document: d.document })));
    if (done) toast({ tone: "ok", title: t(what === "adopt" ? "sitePolicy.adopted" : "sitePolicy.dropped") });
  };
  return (
    <li data-testid="policy-document" data-standing={d.standing} className="px-4 py-2.5 text-sm">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
        <span className="min-w-0 flex-1 basis-40">
          <span className="block truncate font-medium">{d.name}</span>
          <span className="block text-xs text-fg-muted">
            {word(d.kind)}{" "}
            {own ? `· ${t("sitePolicy.own")}` : d.policy_id && <>{`· ${t("sitePolicy.from")} `}<Link to="/templates/policies/$policyId" params={{ policyId: d.policy_id }} className="underline underline-offset-2">{t("tpl.policies")}</Link></>}
            {d.board_changed_at && <>{" · "}<RelativeTime at={d.board_changed_at} /></>}
          </span>
        </span>
        <StandingMark standing={d.standing} />
        {may && differs && (d.standing === "overridden" || d.standing === "differs") && (
          <span className="flex gap-2">
            <Button busy={work.busy} disabled={!canWrite} aria-label={t("sitePolicy.adopt.label", { name: d.name })} onClick={() => void decide("adopt")}>{t("sitePolicy.adopt")}</Button>
            <Button busy={work.busy} disabled={!canWrite} aria-label={t("sitePolicy.drop.label", { name: d.name })} onClick={() => void decide("drop")}>{t("sitePolicy.drop")}</Button>
          </span>
        )}
      </div>
      {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      {differs && (
        <Fold title={<>{t("sitePolicy.see")}<span className="sr-only"> {d.document}</span></>}>
          <p className="pb-1 text-xs text-fg-dim">{`− ${t("sitePolicy.wantedBody")} · + ${t("sitePolicy.boardBody")}`}</p>
          <Diff label={d.document} before={d.wanted} after={d.board} />
        </Fold>
      )}
    </li>
  );
}
