import {
  Battery, Button, DataTable, DataView, FilterBox, PresenceBadge, RelativeTime, Skeletons, useFormats, useKeys, useStatus, useWords, viewStateOf, type Collection, type Column, type Sorting,
} from "@obedio/web";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Check, Send } from "lucide-react";
import { useEffect, useMemo, useState, useSyncExternalStore, type ReactNode } from "react";
import type { SiteDevice } from "../api/resources";
import { useConsole, usePermits, useReach, useT } from "../context";
import { isOld } from "../fleet/sites";
import { useGrowingList } from "../lists";
import { devices as texts } from "../messages/devices";
import { Page } from "../shell/Page";
import { SavedViews } from "../views/SavedViews";
import { chosenDevices } from "./chosen";

const keyOf = (d: SiteDevice) => `${d.site}/${d.device_id}`;
const asRead = (c: Collection<SiteDevice>) => [...c.ids()];
const unsorted: Sorting = { column: "", descending: false };
const nothing = () => {};

/** A set of keys that boxes read one by one. */
class Choice {
  #keys = new Set<string>();
  #readers = new Set<() => void>();
  subscribe = (reader: () => void) => {
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  };
  has = (key: string) => this.#keys.has(key);
  size = () => this.#keys.size;
  all = () => [...this.#keys];
  set(keys: Iterable<string>): void {
    this.#keys = new Set(keys);
    for (const reader of this.#readers) reader();
  }
  toggle(key: string): void {
    const next = new Set(this.#keys);
    if (!next.delete(key)) next.add(key);
    this.set(next);
  }
}

/** Any device of the fleet, and one command for many of them. */
export function DevicesPage() {
  const t = useT(texts);
  const search = useSearch({ from: "/devices" });
  const navigate = useNavigate({ from: "/devices" });
  const asked = search.filter ?? "";
  const [typed, setTyped] = useState(asked);
  useEffect(() => setTyped(asked), [asked]);
  // The console is asked when the typing pauses.
  useEffect(() => {
    if (typed === asked) return;
    const timer = setTimeout(() => void navigate({ search: typed ? { filter: typed } : {}, replace: true, resetScroll: false }), 250);
    return () => clearTimeout(timer);
  }, [typed, asked, navigate]);
  return (
    <Page title={t("search.title")} name={t("search.title")}>
      <section aria-label={t("search.title")} className="rounded-card border border-line bg-ink-850">
        <header className="flex flex-wrap items-start gap-3 border-b border-line px-4 py-3">
          <FilterBox value={typed} onChange={setTyped} label={t("search.filter")} placeholder={t("search.hint")} testId="device-search" className="w-full max-w-xl min-w-0 flex-1 basis-72" />
          <SavedViews list="devices" now={{ filter: asked, sort: "" }} onChoose={({ filter }) => void navigate({ search: filter ? { filter } : {} })} />
        </header>
        <Found key={asked} filter={asked} onClear={() => setTyped("")} />
      </section>
    </Page>
  );
}

function Found({ filter, onClear }: { filter: string; onClear: () => void }) {
  const t = useT(texts);
  const words = useWords();
  const { number } = useFormats();
  const maySend = usePermits("commands.send");
  const [choice] = useState(() => new Choice());
  const { list, reload, more } = useGrowingList<SiteDevice>("/devices/search", keyOf, { q: filter || undefined }, 200);
  const ids = useKeys(list, asRead);
  const state = viewStateOf({ status: useStatus(list), total: ids.length, shown: ids.length, reach: useReach() });
  const columns = useMemo<Column<SiteDevice>[]>(() => [
    { id: "device", header: t("devices.col.device"), width: "minmax(10rem,1.4fr)", cell: (d) => <Name device={d} /> },
    { id: "site", header: t("search.col.site"), width: "minmax(9rem,1.2fr)", cell: (d) => <SiteName id={d.site} /> },
    { id: "room", header: t("devices.col.room"), width: "minmax(8rem,1fr)", cell: (d) => <span className="block truncate">{d.room_name}</span> },
    { id: "type", header: t("devices.col.type"), width: "6rem", cell: (d) => words.type(d.type) },
    { id: "state", header: t("devices.col.state"), width: "8.5rem", cell: (d) => <State device={d} /> },
    { id: "battery", header: t("devices.col.battery"), width: "5.5rem", cell: (d) => <Battery percent={d.battery} /> },
    { id: "firmware", header: t("devices.col.firmware"), width: "6rem", cell: (d) => <span className="block truncate text-fg-muted">{d.firmware_version}</span> },
    { id: "asOf", header: t("search.col.asOf"), width: "7rem", cell: (d) => <RelativeTime at={d.as_of ?? d.presence.as_of} focusable={false} className="text-fg-muted" /> },
  ], [t, words]);
  const lead = useMemo(() => maySend ? {
    header: <ChooseAll choice={choice} ids={ids} label={t("search.chooseAll")} />,
    cell: (d: SiteDevice) => <ChooseBox choice={choice} id={keyOf(d)} label={t("search.choose", { id: d.device_id })} />,
  } : undefined, [maySend, choice, ids, t]);
  return (
    <DataView
      state={state}
      quietLink
      onRetry={reload}
      onClearFilter={onClear}
      empty={filter ? { title: t("search.empty"), detail: t("search.empty.detail"), ...(more ? { action: <Button onClick={() => void more()}>{t("search.more")}</Button> } : {}) } : { title: t("search.none"), detail: t("search.none.detail") }}
      skeleton={<Skeletons count={8} itemClass="h-9" className="flex flex-col gap-3 p-4" />}
    >
      <div className="flex min-h-13 flex-wrap items-center gap-3 border-b border-line px-4 py-1.5 text-sm">
        <span className="text-fg-muted tabular-nums" data-testid="device-count">{t("search.found", { shown: number(ids.length), more: more !== undefined })}</span>
        {maySend && <Command choice={choice} filter={filter} />}
      </div>
      <DataTable
        label={t("search.title")}
        testId="devices-table"
        ids={ids}
        columns={columns}
        items={list}
        sorting={unsorted}
        onSortingChange={nothing}
        rowHeight={48}
        minWidth="68rem"
        rowAttributes={rowAttributes}
        rowLink={rowLink}
        lead={lead}
      />
      {more && <div className="flex justify-center p-4"><Button onClick={() => void more()}>{t("search.more")}</Button></div>}
    </DataView>
  );
}

const rowAttributes = (d: SiteDevice) => ({ "data-site-id": d.site, "data-device-id": d.device_id, "data-state": d.presence.state });
const rowLink = (d: SiteDevice, children: ReactNode) => (
  <Link to="/sites/$siteId/devices/$deviceId" params={{ siteId: d.site, deviceId: d.device_id }} className="reveals-time flex min-h-control items-center rounded-md underline-offset-4 hover:underline">{children}</Link>
);

function Name({ device: d }: { device: SiteDevice }) {
  return <span className="min-w-0 truncate font-medium">{d.name || d.device_id}{d.name && <span className="ml-2 font-normal text-fg-dim">{d.device_id}</span>}</span>;
}

function useSite(id: string) {
  const { sites } = useConsole();
  return useSyncExternalStore((reader) => sites.subscribeKey(id, reader), () => sites.get(id));
}

function SiteName({ id }: { id: string }) {
  const site = useSite(id);
  return <Link to="/sites/$siteId" params={{ siteId: id }} className="block truncate underline-offset-4 hover:underline">{site?.name ?? id}</Link>;
}

/** What is old is not shown as if it were so now. */
function State({ device: d }: { device: SiteDevice }) {
  const console = useConsole();
  const site = useSite(d.site);
  return <PresenceBadge bare state={d.presence.state} past={!site || isOld(site, console.clock.now())} />;
}

const box = "peer size-5 cursor-pointer appearance-none rounded border border-edge bg-ink-900 checked:border-accent checked:bg-accent";

function ChooseBox({ choice, id, label }: { choice: Choice; id: string; label: string }) {
  const on = useSyncExternalStore(choice.subscribe, () => choice.has(id));
  return <Box label={label} on={on} onChange={() => choice.toggle(id)} />;
}

function ChooseAll({ choice, ids, label }: { choice: Choice; ids: readonly string[]; label: string }) {
  const n = useSyncExternalStore(choice.subscribe, choice.size);
  const all = n > 0 && n >= ids.length;
  return <Box label={label} on={all} onChange={() => choice.set(all ? [] : ids)} />;
}

function Box({ label, on, onChange }: { label: string; on: boolean; onChange: () => void }) {
  return (
    <label className="relative inline-flex size-9 cursor-pointer items-center justify-center">
      <input type="checkbox" aria-label={label} checked={on} onChange={onChange} className={box} />
      <Check aria-hidden className="pointer-events-none absolute hidden size-4 text-on-accent peer-checked:block" />
    </label>
  );
}

function Command({ choice, filter }: { choice: Choice; filter: string }) {
  const t = useT(texts);
  const navigate = useNavigate();
  const { number } = useFormats();
  const n = useSyncExternalStore(choice.subscribe, choice.size);
  if (n === 0) {
    return <Button icon={Send} className="ml-auto" onClick={() => void navigate({ to: "/jobs/new", search: filter ? { devices: filter } : {} })}>{t("search.jobAll")}</Button>;
  }
  const send = () => {
    chosenDevices.set(choice.all().map((key) => {
      const at = key.indexOf("/");
      return { site_id: key.slice(0, at), device_id: key.slice(at + 1) };
    }));
    void navigate({ to: "/jobs/new", search: { chosen: true } });
  };
  return (
    <span className="ml-auto flex flex-wrap gap-2">
      <Button kind="quiet" onClick={() => choice.set([])}>{t("search.clear")}</Button>
      <Button kind="primary" icon={Send} onClick={send}>{t("search.job", { n, shown: number(n) })}</Button>
    </span>
  );
}
