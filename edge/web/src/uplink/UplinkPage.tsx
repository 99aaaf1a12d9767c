import { Button, DataView, Facts, Mark, Notice, Pill, RelativeTime, Section, Skeletons, useCell, useFormats, useToast, useWork, type ApiError, type ViewState } from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { CircleCheck, CloudUpload, Inbox, RefreshCw, Unplug } from "lucide-react";
import type { components } from "../api/schema";
import type { Uplink } from "../api/resources";
import { useCanWrite, useHub, usePermits, useReach, useSystem, useT } from "../context";
import { uplink as texts } from "../messages/uplink";
import { ButtonLink } from "../shell/ButtonLink";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { shoreLooks, useShoreWords } from "../shell/ShoreLink";

type Sync = components["schemas"]["SyncView"];
type Lane = components["schemas"]["LaneView"];

/** Milliseconds between two readings while the page is open; the link itself tells of its changes. */
const readEvery = 5000;

/** The link to shore: how it is, what waits, and what comes from there. */
export function UplinkPage() {
  const t = useT(texts);
  return (
    <Page title={t("uplink.title")}>
      <Guard needs="sync.read"><Reading /></Guard>
    </Page>
  );
}

function Reading() {
  const hub = useHub();
  const t = useT(texts);
  const reach = useReach();
  // What the events say of the link is newer than what was read of it.
  const told = useSystem()?.uplink;
  const readings = useCell(hub.readings);
  const { data, error, isPending, refetch } = useQuery<Sync, ApiError>({
    queryKey: ["sync", readings, told?.state],
    queryFn: ({ signal }) => hub.api.get<Sync>("/sync", { signal }),
    refetchInterval: readEvery,
    placeholderData: (last) => last,
  });
  return (
    <DataView
      state={stateOf(data, error, isPending, reach)}
      quietLink
      onRetry={() => void refetch()}
      empty={{ title: t("uplink.none") }}
      skeleton={<Skeletons count={2} itemClass="h-48" className="flex flex-col gap-5" />}
    >
      {data && <Shown sync={data} uplink={told ?? data.uplink} onSynced={() => void refetch()} />}
    </DataView>
  );
}

function stateOf(sync: Sync | undefined, error: ApiError | null, pending: boolean, reach: ViewState): ViewState {
  if (error?.status === 403) return { kind: "unavailable", why: "forbidden", needs: "sync.read" };
  if (sync) return reach;
  if (reach.kind === "offline") return reach;
  return pending ? { kind: "loading" } : { kind: "error", error: error ?? undefined };
}

function Shown({ sync, uplink, onSynced }: { sync: Sync; uplink: Uplink; onSynced: () => void }) {
  const t = useT(texts);
  const maySet = usePermits("system.write");
  if (uplink.state === "none") {
    return (
      <Notice testId="uplink-none" icon={Unplug} title={t("uplink.none")} detail={t("uplink.none.detail")}>
        {maySet && <ButtonLink to="/mqtt/settings">{t("uplink.none.settings")}</ButtonLink>}
      </Notice>
    );
  }
  return (
    <div data-testid="uplink" data-state={uplink.state} className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-[minmax(0,1fr)_minmax(0,1.5fr)]">
      <div className="flex flex-col gap-5">
        <Link sync={sync} uplink={uplink} onSynced={onSynced} />
        <Orders orders={sync.orders} />
      </div>
      <div className="flex flex-col gap-5">
        <Lanes lanes={sync.lanes} />
        <Section title={t("uplink.state")} note={t("uplink.digest.hint")}>
          <Facts
            items={[
              { label: t("uplink.digest"), value: <code data-testid="digest" className="font-mono text-xs break-all">{sync.digest}</code> },
              { label: t("uplink.epoch"), value: <code className="font-mono text-xs break-all">{sync.epoch}</code> },
              ...(sync.console ? [{ label: t("uplink.consoleEpoch"), value: <code className="font-mono text-xs break-all">{sync.console.epoch}</code> }] : []),
            ]}
          />
        </Section>
      </div>
    </div>
  );
}

function Link({ sync, uplink, onSynced }: { sync: Sync; uplink: Uplink; onSynced: () => void }) {
  const t = useT(texts);
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const canWrite = useCanWrite();
  const mayControl = usePermits("sync.control");
  const { word } = useShoreWords(uplink);
  const look = shoreLooks[uplink.state];
  const syncNow = async () => {
    if (!(await work.run(() => hub.syncNow()))) return;
    toast({ tone: "ok", title: t("shore.syncing") });
    onSynced();
  };
  return (
    <Section title={t("uplink.link")} testId="link">
      <div className="flex flex-wrap items-center justify-between gap-3 px-4 pt-4">
        <Pill tone={look.tone} icon={look.icon} wraps>{word}</Pill>
        {mayControl && <Button icon={RefreshCw} busy={work.busy} disabled={!canWrite} onClick={() => void syncNow()}>{t("shore.syncNow")}</Button>}
      </div>
      {work.failure && <p role="status" className="px-4 pt-3 text-sm text-bad">{work.failure}</p>}
      <Facts
        items={[
          { label: t("shore.since"), value: <RelativeTime at={uplink.since} /> },
          { label: t("shore.contact"), value: uplink.last_contact ? <RelativeTime at={uplink.last_contact} /> : t("uplink.never") },
          { label: t("shore.console"), value: uplink.console_url ?? t("device.unknown") },
          ...(sync.console ? [{ label: t("uplink.consoleId"), value: <code className="font-mono text-xs break-all">{sync.console.console_id}</code> }] : []),
          { label: t("shore.error"), value: uplink.last_error ? <span data-testid="last-error" className="text-warn">{uplink.last_error}</span> : t("uplink.noError") },
        ]}
      />
    </Section>
  );
}

function Lanes({ lanes }: { lanes: readonly Lane[] }) {
  const t = useT(texts);
  const { number } = useFormats();
  const head = "px-4 py-2 font-normal whitespace-nowrap";
  return (
    <Section title={t("uplink.lanes")} note={t("uplink.lanes.note")}>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls is reached by the keyboard */}
      <div role="group" aria-label={t("uplink.lanes")} tabIndex={0} className="overflow-x-auto">
        <table data-testid="lanes" className="w-full min-w-[36rem] text-sm tabular-nums">
          <thead>
            <tr className="border-b border-line text-left text-xs text-fg-dim">
              <th scope="col" className={head}>{t("uplink.lane")}</th>
              <th scope="col" className={`${head} text-right`}>{t("uplink.acked")}</th>
              <th scope="col" className={`${head} text-right`}>{t("uplink.head")}</th>
              <th scope="col" className={head}>{t("uplink.backlog")}</th>
              <th scope="col" className={head}>{t("uplink.oldest")}</th>
            </tr>
          </thead>
          <tbody>
            {lanes.map((l) => (
              <tr key={l.lane} data-lane={l.name} className="border-b border-line/60 last:border-0">
                <th scope="row" className="px-4 py-2.5 text-left font-medium">{t("uplink.lane.name", { name: l.name })}</th>
                <td className="px-4 py-2.5 text-right">{number(l.acked)}</td>
                <td className="px-4 py-2.5 text-right">{number(l.head)}</td>
                <td className="px-4 py-2.5">
                  {l.backlog === 0 ? <Mark tone="ok" icon={CircleCheck}>{t("uplink.synced")}</Mark> : <Mark tone="warn" icon={CloudUpload}>{number(l.backlog)}</Mark>}
                </td>
                <td className="px-4 py-2.5 text-fg-muted">{l.backlog === 0 ? null : l.oldest_at ? <RelativeTime at={l.oldest_at} /> : t("uplink.oldest.none")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

function Orders({ orders: { cursor, head } }: { orders: Sync["orders"] }) {
  const t = useT(texts);
  const { number } = useFormats();
  const waiting = Math.max(0, head - cursor);
  return (
    <Section title={t("uplink.orders")} testId="orders">
      {waiting > 0 ? (
        <Notice testId="orders-waiting" icon={Inbox} title={t("uplink.orders.waiting", { n: number(waiting) })} detail={t("uplink.orders.waiting.detail")} />
      ) : (
        <Notice testId="orders-none" icon={CircleCheck} title={t("uplink.orders.none")} detail={cursor === 0 ? t("uplink.orders.never") : t("uplink.orders.none.detail", { n: number(cursor) })} />
      )}
    </Section>
  );
}
