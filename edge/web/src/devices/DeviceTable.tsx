import { Battery, DataTable, PresenceBadge, RelativeTime, Signal, typeIcon, useWords, type Column, type Sorting } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import type { Device } from "../api/resources";
import { useHub, useT } from "../context";
import { Box, ChooseBox } from "./ChooseBox";
import { useChosenAmong, useSelection, type Selection } from "./selection";

export interface DeviceTableProps {
  ids: readonly string[];
  sorting: Sorting;
  onSortingChange: (sorting: Sorting) => void;
}

export function DeviceTable({ ids, sorting, onSortingChange }: DeviceTableProps) {
  const t = useT();
  const { devices } = useHub();
  const selection = useSelection();
  const columns = useMemo<Column<Device>[]>(
    () => [
      { id: "id", header: t("devices.col.device"), width: "minmax(9rem,1.5fr)", sortable: true, cell: (d) => <span className="font-medium">{d.name || d.device_id}</span> },
      { id: "room", header: t("devices.col.room"), width: "minmax(7rem,1.2fr)", sortable: true, cell: (d) => <span className="block truncate">{d.room_name || d.room}</span> },
      { id: "type", header: t("devices.col.type"), width: "6rem", cell: (d) => <TypeCell type={d.type} /> },
      { id: "attention", header: t("devices.col.state"), width: "8.5rem", sortable: true, cell: (d) => <StateCell device={d} /> },
      { id: "battery", header: t("devices.col.battery"), width: "4.75rem", numeric: true, sortable: true, cell: (d) => <Battery percent={d.battery} /> },
      { id: "forecast", header: t("devices.col.forecast"), width: "4.25rem", numeric: true, sortable: true, cell: (d) => <DaysLeft days={d.battery_days_left} /> },
      { id: "signal", header: t("devices.col.signal"), width: "4.25rem", numeric: true, cell: (d) => <Signal value={d.signal_strength} /> },
      { id: "via", header: t("devices.col.via"), width: "minmax(5rem,0.8fr)", cell: (d) => <span className="block truncate text-fg-muted">{d.via}</span> },
      { id: "firmware", header: t("devices.col.firmware"), width: "4.75rem", cell: (d) => <span className="text-fg-muted">{d.firmware_version}</span> },
      { id: "seen", header: t("devices.col.seen"), width: "6rem", numeric: true, sortable: true, cell: (d) => <RelativeTime at={d.last_mqtt_activity} focusable={false} className="text-fg-muted" /> },
    ],
    [t],
  );
  const lead = useMemo(
    () => selection && { header: <ChooseAll selection={selection} ids={ids} />, cell: (d: Device) => <ChooseBox id={d.device_id} name={d.name || d.device_id} /> },
    [selection, ids],
  );
  return (
    <div className="rounded-card border border-line bg-ink-850">
      <DataTable
        label={t("devices.title")}
        testId="device-table"
        ids={ids}
        columns={columns}
        lead={lead}
        items={devices}
        sorting={sorting}
        onSortingChange={onSortingChange}
        rowHeight={56}
        minWidth="74rem"
        rowAttributes={deviceAttributes}
        rowLink={deviceLink}
      />
    </div>
  );
}

const deviceAttributes = (d: Device) => ({ "data-device-id": d.device_id });
const deviceLink = (d: Device, children: React.ReactNode) => (
  <Link to="/mqtt/devices/$deviceId" params={{ deviceId: d.device_id }} className="reveals-time flex min-h-control items-center truncate rounded-md underline-offset-4 hover:underline">
    {children}
  </Link>
);

/** Chooses all that fit the filter, or none. */
function ChooseAll({ selection, ids }: { selection: Selection; ids: readonly string[] }) {
  const t = useT();
  const chosen = useChosenAmong(selection, ids).length;
  return (
    <Box
      label={t("devices.choose.all", { n: ids.length })}
      checked={chosen > 0 && chosen === ids.length}
      partly={chosen > 0 && chosen < ids.length}
      onChange={(on) => (on ? selection.add(ids) : selection.clear())}
    />
  );
}

/** How the device is, and since when. */
function StateCell({ device: { presence } }: { device: Device }) {
  const t = useT();
  return (
    <span className="flex flex-col">
      <PresenceBadge bare state={presence.state} />
      <span className="pl-5.5 text-xs text-fg-dim">{t("device.since")} <RelativeTime at={presence.since} bare focusable={false} /></span>
    </span>
  );
}

/** Days until the battery is empty, by its last days. */
function DaysLeft({ days }: { days: number | undefined }) {
  const t = useT();
  return days === undefined ? null : <span className={days < 7 ? "font-medium text-warn" : "text-fg-muted"}>{t("devices.days", { n: days })}</span>;
}

function TypeCell({ type }: { type: string }) {
  const words = useWords();
  const Icon = typeIcon(type);
  return <span className="inline-flex items-center gap-2 text-fg-muted"><Icon aria-hidden className="size-4" />{words.type(type)}</span>;
}
