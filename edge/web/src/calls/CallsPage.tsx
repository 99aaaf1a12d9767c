import {
  Banner, Button, DataView, RelativeTime, Skeletons, useDerived, useItem, useKeys, useSettledOrder, useStatus, useWords, viewStateOf, type Collection,
} from "@obedio/web";
import { MoonStar, Plus, WatchIcon } from "lucide-react";
import { Suspense, lazy, useState } from "react";
import type { CallRequest } from "../api/resources";
import { useCanWrite, useHub, usePermits, useReach, useSystem, useT } from "../context";
import { DeviceOverview } from "../devices/DeviceOverview";
import { Page } from "../shell/Page";
import { CallCard } from "./CallCard";
import { OnDuty } from "./OnDuty";
import { openRequests } from "./order";
import { RecentCalls } from "./Recent";
import { SoundButton } from "./SoundButton";

const OpenCall = lazy(() => import("./OpenCall").then((m) => ({ default: m.OpenCall })));

const openIds = (requests: Collection<CallRequest>) => openRequests(requests).map((r) => r.request_id);
const lastEnded = (requests: Collection<CallRequest>) =>
  [...requests.values()]
    .filter((r) => r.ended_at !== undefined)
    .sort((a, b) => b.ended_at!.localeCompare(a.ended_at!))[0]?.request_id;

/** Home: who is calling, and below it how the devices are. */
export function CallsPage() {
  const t = useT();
  const hub = useHub();
  const system = useSystem();
  const mayOpen = usePermits("requests.write");
  const canWrite = useCanWrite();
  const [opening, setOpening] = useState(false);
  const reach = useReach();
  const status = useStatus(hub.requests);
  const ids = useKeys(hub.requests, openIds);
  const settled = useSettledOrder(ids, { showNew: true });
  const state = viewStateOf({ status, total: ids.length, shown: ids.length, reach });
  const quiet = ids.length === 0 && (state.kind === "empty" || (state.kind === "offline" && status.phase === "ready"));
  return (
    <Page
      title={t("calls.title")}
      actions={
        <>
          <SoundButton />
          {mayOpen && <Button icon={Plus} disabled={!canWrite} onClick={() => setOpening(true)}>{t("calls.open")}</Button>}
        </>
      }
    >
      {system && system.counts.watches_reachable === 0 && (
        <div className="pb-4">
          <Banner testId="no-watches" tone="bad" icon={WatchIcon} title={t("calls.noWatches")} />
        </div>
      )}
      <section aria-label={t("calls.waiting")} data-testid="calls" className="min-h-56">
        {quiet ? (
          <AllQuiet />
        ) : (
          <>
            <h2 className="mb-3 text-sm font-medium text-fg-muted">{t("calls.waiting")}</h2>
            <DataView
              state={state}
              quietLink
              onRetry={hub.retry}
              empty={{ title: t("calls.quiet") }}
              skeleton={<Skeletons count={3} itemClass="h-52" className={gridClass} />}
            >
              <ul className={gridClass} {...settled.handlers}>
                {settled.ids.map((id) => <li key={id} className="rise"><CallCard id={id} /></li>)}
              </ul>
            </DataView>
          </>
        )}
      </section>
      <div className="mt-6">
        <OnDuty />
        <RecentCalls />
      </div>
      <DeviceOverview />
      {opening && <Suspense><OpenCall onClose={() => setOpening(false)} /></Suspense>}
    </Page>
  );
}

const gridClass = "grid gap-5 [grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr))]";

function AllQuiet() {
  const t = useT();
  const last = useDerived(useHub().requests, lastEnded);
  return (
    <div data-testid="all-quiet" data-view-state="empty" className="flex min-h-56 flex-col items-center justify-center gap-1 rounded-card border border-line bg-ink-850 px-6 py-8 text-center">
      <MoonStar aria-hidden className="mb-2 size-9 text-ok" />
      <h2 className="text-xl font-semibold">{t("calls.quiet")}</h2>
      <p className="text-sm text-fg-muted">{t("calls.quiet.detail")}</p>
      {last && <LastCall id={last} />}
    </div>
  );
}

function LastCall({ id }: { id: string }) {
  const t = useT();
  const words = useWords();
  const request = useItem(useHub().requests, id);
  if (!request) return null;
  return (
    <p className="mt-2 text-xs text-fg-dim">
      {t("calls.quiet.last", { room: request.room_name || request.room, word: words.request(request.state) })} <RelativeTime at={request.ended_at} />
    </p>
  );
}
