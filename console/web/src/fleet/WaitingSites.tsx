import { Button, DataView, Dialog, LinkStateBadge, RelativeTime, Section, Skeletons, useItem, useKeys, useStatus, viewStateOf, type Collection } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { FileKey2 } from "lucide-react";
import { useState } from "react";
import type { Site } from "../api/resources";
import { useConsole, usePermits, useReach, useT } from "../context";
import { ClaimFile } from "./ClaimFile";

const waiting = (sites: Collection<Site>) =>
  [...sites.values()]
    .filter((s) => s.link_state === "never_connected")
    .sort((a, b) => b.created_at.localeCompare(a.created_at))
    .map((s) => s.site_id);

/** Sites whose hubs have never connected, the newest first; they leave the list by themselves. */
export function WaitingSites() {
  const t = useT();
  const { sites, retry } = useConsole();
  const [claiming, setClaiming] = useState<string>();
  const ids = useKeys(sites, waiting);
  const status = useStatus(sites);
  const state = viewStateOf({ status, total: ids.length, shown: ids.length, reach: useReach() });
  const named = useItem(sites, claiming ?? "");
  return (
    <Section title={t("waiting.title")} {...(ids.length > 0 ? { note: String(ids.length) } : {})}>
      <DataView
        state={state}
        quietLink
        onRetry={retry}
        empty={{ title: t("waiting.none"), detail: t("waiting.none.detail") }}
        skeleton={<Skeletons count={2} itemClass="h-11" className="flex flex-col gap-3 p-4" />}
      >
        <ul data-testid="waiting-sites" className="divide-y divide-line/60">
          {ids.map((id) => <WaitingSite key={id} id={id} onClaim={() => setClaiming(id)} />)}
        </ul>
      </DataView>
      <Dialog open={claiming !== undefined} onOpenChange={(open) => !open && setClaiming(undefined)} title={t("waiting.claim.label", { name: named?.name ?? claiming ?? "" })} testId="waiting-claim">
        {claiming !== undefined && <div className="-mx-4"><ClaimFile siteId={claiming} replaces /></div>}
      </Dialog>
    </Section>
  );
}

function WaitingSite({ id, onClaim }: { id: string; onClaim: () => void }) {
  const t = useT();
  const site = useItem(useConsole().sites, id);
  const mayClaim = usePermits("provision.write");
  if (!site) return null;
  return (
    <li data-site-id={id} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 text-sm">
      <div className="min-w-0 flex-1 basis-40">
        <Link to="/sites/$siteId" params={{ siteId: id }} className="block truncate rounded-md font-medium underline-offset-4 hover:underline">{site.name}</Link>
        <span className="block truncate text-xs text-fg-dim">{id} · {t("waiting.added")} <RelativeTime at={site.created_at} /></span>
      </div>
      <LinkStateBadge state={site.link_state} />
      {mayClaim && <Button icon={FileKey2} aria-label={t("waiting.claim.label", { name: site.name })} onClick={onClaim}>{t("waiting.claim")}</Button>}
    </li>
  );
}
