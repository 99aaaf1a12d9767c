import {
  Battery, DataTable, DataView, FilterBox, PresenceBadge, RelativeTime, Signal, Skeletons, compileFilter, typeIcon, useFormats,
  useSettledOrder, useSortedKeys, useStatus, useWords, viewStateOf, type Column, type FilterSchema, type Sorting,
} from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { Site, SiteDevice } from "../api/resources";
import { useConsole, useReach, useT } from "../context";
import { useIsOld } from "../fleet/SiteAge";
import type { SiteData } from "../site-data";

const filterSchema: FilterSchema<SiteDevice> = {
  fields: {
    state: { kind: "text", read: (d) => d.presence.state },
    type: { kind: "text", read: (d) => d.type },
    room: { kind: "text", read: (d) => [d.room, d.room_name] },
    id: { kind: "text", read: (d) => d.device_id },
    tag: { kind: "text", read: (d) => d.tags },
    firmware: { kind: "text", read: (d) => d.firmware_version },
    battery: { kind: "number", read: (d) => d.battery },
    signal: { kind: "number", read: (d) => d.signal_strength },
  },
  text: (d) => [d.device_id, d.name, d.room, d.room_name, d.type],
};
const words = Object.keys(filterSchema.fields);
const stateRank: Record<string, number> = { lost: 0, late: 1, disconnected: 2, never_seen: 3, sleeping: 4, ready: 5, retired: 6 };

export function DevicesTab({ site, data }: { site: Site; data: SiteData }) {
  const t = useT();
  const console = useConsole();
  const { collator } = useFormats();
  const [filterText, setFilter] = useState("");
  const [sorting, setSorting] = useState<Sorting>({ column: "state", descending: false });
  const filter = useMemo(() => compileFilter(filterSchema, filterText), [filterText]);
  const compare = useMemo(() => compareBy(sorting.column, collator), [sorting.column, collator]);
  const ids = useSortedKeys(data.devices, filter.matches, compare, sorting.descending);
  const settled = useSettledOrder(ids);
  const status = useStatus(data.devices);
  const state = viewStateOf({ status, total: data.devices.size, shown: ids.length, reach: useReach() });
  const old = useIsOld(site);
  const columns = useMemo<Column<SiteDevice>[]>(
    () => [
      { id: "id", header: t("devices.col.device"), width: "minmax(10rem,1.4fr)", sortable: true, cell: (d) => <span className="font-medium">{d.name || d.device_id}</span> },
      { id: "room", header: t("devices.col.room"), width: "minmax(8rem,1fr)", sortable: true, cell: (d) => <span className="block truncate">{d.room_name || d.room}</span> },
      { id: "type", header: t("devices.col.type"), width: "7.5rem", cell: (d) => <TypeCell type={d.type} /> },
      { id: "state", header: t("devices.col.state"), width: "11rem", sortable: true, cell: (d) => <PresenceBadge bare state={d.presence.state} past={old} /> },
      { id: "battery", header: t("devices.col.battery"), width: "5.5rem", numeric: true, sortable: true, cell: (d) => <Battery percent={d.battery} /> },
      { id: "signal", header: t("devices.col.signal"), width: "5rem", numeric: true, cell: (d) => <Signal value={d.signal_strength} /> },
      { id: "firmware", header: t("devices.col.firmware"), width: "6rem", cell: (d) => <span className="text-fg-muted">{d.firmware_version}</span> },
      { id: "heard", header: t("devices.col.heard"), width: "7rem", numeric: true, sortable: true, cell: (d) => <RelativeTime at={d.last_mqtt_activity} focusable={false} className="text-fg-muted" /> },
    ],
    [t, old],
  );
  return (
    <div className="rounded-card border border-line bg-ink-850" {...settled.handlers}>
      <div className="border-b border-line p-3">
        <FilterBox value={filterText} onChange={setFilter} label={t("devices.filter")} placeholder={t("devices.filterHint")} faults={filter.faults} words={words} className="max-w-md" testId="device-filter" />
      </div>
      <DataView
        state={state}
        quietLink
        onRetry={console.retry}
        onClearFilter={() => setFilter("")}
        empty={{ title: t("devices.empty"), detail: t("devices.empty.detail") }}
        skeleton={<Skeletons count={6} itemClass="h-9" className="flex flex-col gap-3 p-4" />}
      >
        <DataTable
          label={t("site.tab.devices")}
          testId="devices-table"
          ids={settled.ids}
          columns={columns}
          items={data.devices}
          sorting={sorting}
          onSortingChange={setSorting}
          rowHeight={44}
          minWidth="60rem"
          rowAttributes={(d) => ({ "data-device-id": d.device_id })}
          rowLink={(d, children) => (
            <Link to="/sites/$siteId/devices/$deviceId" params={{ siteId: site.site_id, deviceId: d.device_id }} className="reveals-time flex min-h-9 items-center truncate rounded-md underline-offset-4 hover:underline">
              {children}
            </Link>
          )}
        />
      </DataView>
    </div>
  );
}

function compareBy(column: string, collator: Intl.Collator): (a: SiteDevice, b: SiteDevice) => number {
  const byPlace = (a: SiteDevice, b: SiteDevice) =>
    collator.compare(a.room_name || a.room, b.room_name || b.room) || collator.compare(a.device_id, b.device_id);
  switch (column) {
    case "id":
      return (a, b) => collator.compare(a.device_id, b.device_id);
    case "room":
      return byPlace;
    case "battery":
      return (a, b) => (a.battery ?? 101) - (b.battery ?? 101) || byPlace(a, b);
    case "heard":
      return (a, b) => (a.last_mqtt_activity ?? "").localeCompare(b.last_mqtt_activity ?? "") || byPlace(a, b);
    default:
      return (a, b) => (stateRank[a.presence.state] ?? 9) - (stateRank[b.presence.state] ?? 9) || byPlace(a, b);
  }
}

export function TypeCell({ type }: { type: string }) {
  const names = useWords();
  const Icon = typeIcon(type);
  return <span className="inline-flex items-center gap-2 text-fg-muted"><Icon aria-hidden className="size-4" />{names.type(type)}</span>;
}
