import { DataTable, DataView, Mark, RelativeTime, Skeletons, useKeys, useStatus, viewStateOf, type Collection, type Column, type Tone } from "@obedio/web";
import { CircleCheck, CircleX, Clock3, ClockAlert, CloudDownload, TriangleAlert, type LucideIcon } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import type { Order } from "../api/resources";
import { useConsole, useReach, useT } from "../context";
import type { SiteData } from "../site-data";

const looks: Record<Order["state"], { icon: LucideIcon; tone: Tone }> = {
  queued: { icon: Clock3, tone: "idle" },
  taken: { icon: CloudDownload, tone: "accent" },
  applied: { icon: CircleCheck, tone: "ok" },
  conflict: { icon: TriangleAlert, tone: "warn" },
  refused: { icon: CircleX, tone: "bad" },
  expired: { icon: ClockAlert, tone: "warn" },
  cancelled: { icon: CircleX, tone: "idle" },
};

/** What the console has asked of this hub, and how far each has got. */
export function OrdersTab({ data }: { data: SiteData }) {
  const t = useT();
  const console = useConsole();
  const [sorting, setSorting] = useState({ column: "number", descending: true });
  const compute = useCallback(
    (orders: Collection<Order>) => {
      const all = [...orders.values()].sort((a, b) => a.number - b.number);
      if (sorting.descending) all.reverse();
      return all.map((o) => o.order_id);
    },
    [sorting],
  );
  const ids = useKeys(data.orders, compute);
  const status = useStatus(data.orders);
  const state = viewStateOf({ status, total: ids.length, shown: ids.length, reach: useReach() });
  const columns = useMemo<Column<Order>[]>(
    () => [
      { id: "number", header: t("orders.col.number"), width: "5rem", sortable: true, descendingFirst: true, cell: (o) => <span className="font-medium">{o.number}</span> },
      { id: "kind", header: t("orders.col.kind"), width: "minmax(12rem,1.4fr)", cell: (o) => <KindCell order={o} /> },
      { id: "state", header: t("orders.col.state"), width: "minmax(11rem,1fr)", cell: (o) => <StateCell order={o} /> },
      { id: "created", header: t("orders.col.created"), width: "8rem", cell: (o) => <RelativeTime at={o.created_at} focusable={false} className="text-fg-muted" /> },
      { id: "expires", header: t("orders.col.expires"), width: "8rem", cell: (o) => <RelativeTime at={o.expires_at} focusable={false} className="text-fg-muted" /> },
      { id: "by", header: t("orders.col.by"), width: "minmax(7rem,1fr)", cell: (o) => <span className="block truncate text-fg-muted">{o.actor.name || o.actor.id}</span> },
    ],
    [t],
  );
  return (
    <div className="rounded-card border border-line bg-ink-850">
      <DataView
        state={state}
        quietLink
        onRetry={console.retry}
        empty={{ title: t("orders.empty"), detail: t("orders.empty.detail") }}
        skeleton={<Skeletons count={4} itemClass="h-9" className="flex flex-col gap-3 p-4" />}
      >
        <DataTable
          label={t("site.tab.orders")}
          testId="orders-table"
          ids={ids}
          columns={columns}
          items={data.orders}
          sorting={sorting}
          onSortingChange={setSorting}
          rowHeight={52}
          minWidth="54rem"
          rowAttributes={(o) => ({ "data-order-id": o.order_id, "data-state": o.state })}
          rowLink={(_, children) => children}
        />
      </DataView>
    </div>
  );
}

function KindCell({ order }: { order: Order }) {
  return (
    <>
      <span className="block truncate">{order.kind.replaceAll("_", " ")}</span>
      {order.command && <span className="block truncate font-mono text-xs text-fg-dim">{`${order.command.name} → ${order.command.device_id}`}</span>}
    </>
  );
}

function StateCell({ order }: { order: Order }) {
  const t = useT();
  const look = looks[order.state] ?? looks.queued;
  const word = order.state in looks ? t(`order.${order.state}`) : order.state;
  return (
    <>
      <Mark tone={look.tone} icon={look.icon}>{word}</Mark>
      {order.detail && <span title={order.detail} className="block truncate text-xs text-fg-dim">{order.detail}</span>}
    </>
  );
}
