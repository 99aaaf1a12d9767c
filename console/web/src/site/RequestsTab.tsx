import {
  DataTable, DataView, Mark, RelativeTime, RequestBadge, Skeletons, lookOf, priorityLook, spanOf, useKeys, useStatus, viewStateOf,
  type Collection, type Column,
} from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";
import type { Site, SiteRequest } from "../api/resources";
import { useConsole, useReach, useT } from "../context";
import type { SiteData } from "../site-data";

export function RequestsTab({ site, data }: { site: Site; data: SiteData }) {
  const t = useT();
  const console = useConsole();
  const [sorting, setSorting] = useState({ column: "opened", descending: true });
  const compute = useCallback(
    (requests: Collection<SiteRequest>) => {
      const all = [...requests.values()].sort((a, b) => a.opened_at.localeCompare(b.opened_at));
      if (sorting.descending) all.reverse();
      return all.map((r) => r.request_id);
    },
    [sorting],
  );
  const ids = useKeys(data.requests, compute);
  const status = useStatus(data.requests);
  const state = viewStateOf({ status, total: ids.length, shown: ids.length, reach: useReach() });
  const columns = useMemo<Column<SiteRequest>[]>(
    () => [
      { id: "room", header: t("requests.col.room"), width: "minmax(11rem,1.4fr)", cell: (r) => <RoomCell request={r} /> },
      { id: "priority", header: t("requests.col.priority"), width: "9rem", cell: (r) => <PriorityCell request={r} /> },
      { id: "state", header: t("requests.col.state"), width: "9rem", cell: (r) => <RequestBadge bare state={r.state} /> },
      { id: "opened", header: t("requests.col.opened"), width: "8rem", sortable: true, cell: (r) => <RelativeTime at={r.opened_at} focusable={false} className="text-fg-muted" /> },
      { id: "response", header: t("requests.col.response"), width: "7rem", numeric: true, cell: (r) => <ResponseCell request={r} /> },
      { id: "who", header: t("requests.col.who"), width: "minmax(7rem,1fr)", cell: (r) => <span className="block truncate text-fg-muted">{r.accepted_by?.name || r.accepted_by?.id || r.ended_by?.name || ""}</span> },
    ],
    [t],
  );
  return (
    <div className="rounded-card border border-line bg-ink-850">
      <DataView
        state={state}
        quietLink
        onRetry={console.retry}
        empty={{ title: t("requests.empty"), detail: t("requests.empty.detail") }}
        skeleton={<Skeletons count={6} itemClass="h-9" className="flex flex-col gap-3 p-4" />}
      >
        <DataTable
          label={t("site.tab.requests")}
          testId="requests-table"
          ids={ids}
          columns={columns}
          items={data.requests}
          sorting={sorting}
          onSortingChange={setSorting}
          rowHeight={52}
          minWidth="54rem"
          rowAttributes={(r) => ({ "data-request-id": r.request_id, "data-state": r.state })}
          rowLink={(r, children) => (
            <Link to="/sites/$siteId/devices/$deviceId" params={{ siteId: site.site_id, deviceId: r.device_id }} className="reveals-time block rounded-md py-1 underline-offset-4 hover:underline">
              {children}
            </Link>
          )}
        />
      </DataView>
    </div>
  );
}

function RoomCell({ request }: { request: SiteRequest }) {
  return (
    <>
      <span className="block truncate font-medium">{request.room_name || request.room}</span>
      <span className="block truncate text-xs text-fg-dim">{request.device_name || request.device_id}</span>
    </>
  );
}

function PriorityCell({ request }: { request: SiteRequest }) {
  const t = useT();
  const look = lookOf(priorityLook, request.priority);
  return (
    <span className="flex flex-wrap items-center gap-x-2">
      <Mark tone={look.tone} icon={look.icon}>{t(`priority.${request.priority}`)}</Mark>
      {request.presses > 1 && <span className="text-fg-muted">{t("requests.times", { n: request.presses })}</span>}
      {(request.late_by_ms ?? 0) > 0 && <span className="text-xs text-warn">{t("requests.late", { span: spanOf(request.late_by_ms!) })}</span>}
    </span>
  );
}

/** How long it took until somebody accepted. */
function ResponseCell({ request }: { request: SiteRequest }) {
  const t = useT();
  if (!request.accepted_at) return <span className="text-fg-dim">{t("fleet.none")}</span>;
  return t("time.span", { span: spanOf(Date.parse(request.accepted_at) - Date.parse(request.opened_at)) });
}
