import { Battery, DataTable, PresenceBadge, RelativeTime, Signal, typeIcon, useWords, type Column, type Sorting } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import type { Device } from "../api/resources";
import { useHub, useT } from "../context";

export interface DeviceTableProps {
  ids: readonly string[];
  sorting: Sorting;
  onSortingChange: (sorting: Sorting) => void;
}

export function DeviceTable({ ids, sorting, onSortingChange }: DeviceTableProps) {
  const t = useT();
  const { devices } = useHub();
  const columns = useMemo<Column<Device>[]>(
    () => [
      { id: "id", header: t("devices.col.device"), width: "minmax(10rem,1.5fr)", sortable: true, cell: (d) => <span className="font-medium">{d.name || d.device_id}</span> },
      { id: "room", header: t("devices.col.room"), width: "minmax(8rem,1.2fr)", sortable: true, cell: (d) => <span className="block truncate">{d.room_name || d.room}</span> },
      { id: "type", header: t("devices.col.type"), width: "7rem", cell: (d) => <TypeCell type={d.type} /> },
      { id: "attention", header: t("devices.col.state"), width: "9rem", sortable: true, cell: (d) => <PresenceBadge bare state={d.presence.state} /> },
      { id: "battery", header: t("devices.col.battery"), width: "5.5rem", numeric: true, sortable: true, cell: (d) => <Battery percent={d.battery} /> },
      { id: "signal", header: t("devices.col.signal"), width: "5rem", numeric: true, cell: (d) => <Signal value={d.signal_strength} /> },
      { id: "firmware", header: t("devices.col.firmware"), width: "6rem", cell: (d) => <span className="text-fg-muted">{d.firmware_version}</span> },
      { id: "seen", header: t("devices.col.seen"), width: "7rem", numeric: true, sortable: true, cell: (d) => <RelativeTime at={d.last_mqtt_activity} focusable={false} className="text-fg-muted" /> },
    ],
    [t],
  );
  return (
    <div className="rounded-card border border-line bg-ink-850">
      <DataTable
        label={t("devices.title")}
        testId="device-table"
        ids={ids}
        columns={columns}
        items={devices}
        sorting={sorting}
        onSortingChange={onSortingChange}
        rowHeight={52}
        minWidth="64rem"
        rowAttributes={(d) => ({ "data-device-id": d.device_id })}
        rowLink={(d, children) => (
          <Link to="/mqtt/devices/$deviceId" params={{ deviceId: d.device_id }} className="reveals-time flex min-h-control items-center truncate rounded-md underline-offset-4 hover:underline">
            {children}
          </Link>
        )}
      />
    </div>
  );
}


function TypeCell({ type }: { type: string }) {
  const words = useWords();
  const Icon = typeIcon(type);
  return <span className="inline-flex items-center gap-2 text-fg-muted"><Icon aria-hidden className="size-4" />{words.type(type)}</span>;
}
