import { DataTable, LinkStateBadge, RelativeTime, classes, useFormats, type Column, type Sorting } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { CalendarCheck2, CircleCheck, ClockAlert, History, Siren, TriangleAlert } from "lucide-react";
import { useMemo } from "react";
import type { Site } from "../api/resources";
import { useConsole, useT } from "../context";
import { reasonText } from "./reasons";
import { DataAge, useIsOld } from "./SiteAge";
import { backlogOf } from "./sites";

export interface SitesTableProps {
  ids: readonly string[];
  sorting: Sorting;
  onSortingChange: (sorting: Sorting) => void;
}

export function SitesTable({ ids, sorting, onSortingChange }: SitesTableProps) {
  const t = useT();
  const { sites } = useConsole();
  const { number, bytes } = useFormats();
  const columns = useMemo<Column<Site>[]>(() => {
    const count = (n: number | undefined) =>
      n === undefined ? <span className="text-idle">{t("fleet.unknown")}</span> : n === 0 ? <span className="text-fg-dim">{t("fleet.none")}</span> : number(n);
    return [
      { id: "site", header: t("fleet.col.site"), width: "minmax(9rem,2fr)", sortable: true, cell: (s) => <NameCell site={s} /> },
      { id: "link", header: t("fleet.col.link"), width: "minmax(7.5rem,1fr)", sortable: true, cell: (s) => <LinkCell site={s} /> },
      { id: "data", header: t("fleet.col.data"), width: "minmax(4.75rem,.5fr)", sortable: true, cell: (s) => <DataAge site={s} focusable={false} /> },
      { id: "backlog", header: t("fleet.col.backlog"), width: "4.5rem", numeric: true, sortable: true, descendingFirst: true, cell: (s) => count(backlogOf(s.backlog)) },
      { id: "requests", header: t("fleet.col.requests"), width: "5.5rem", numeric: true, sortable: true, descendingFirst: true, cell: (s) => <RequestsCell site={s} /> },
      { id: "devices", header: t("fleet.col.devices"), width: "11.5rem", cell: (s) => <DevicesCell site={s} /> },
      { id: "orders", header: t("fleet.col.orders"), width: "4rem", numeric: true, sortable: true, descendingFirst: true, cell: (s) => count(s.orders_pending) },
      { id: "alerts", header: t("fleet.col.alerts"), width: "4rem", numeric: true, sortable: true, descendingFirst: true, cell: (s) => count(s.open_alerts) },
      { id: "bytes", header: t("fleet.col.bytes"), width: "4.5rem", numeric: true, sortable: true, descendingFirst: true, cell: (s) => (s.bytes_today > 0 ? bytes(s.bytes_today) : <span className="text-fg-dim">{t("fleet.none")}</span>) },
      { id: "version", header: t("fleet.col.version"), width: "5rem", sortable: true, cell: (s) => s.hub_version ?? <span className="text-idle">{t("fleet.unknown")}</span> },
    ];
  }, [t, number, bytes]);
  return (
    <DataTable
      label={t("fleet.sites")}
      testId="sites-table"
      ids={ids}
      columns={columns}
      items={sites}
      sorting={sorting}
      onSortingChange={onSortingChange}
      rowHeight={56}
      minWidth="73rem"
      rowAttributes={(s) => ({ "data-site-id": s.site_id, "data-link-state": s.link_state })}
      rowLink={(s, children) => (
        <Link to="/sites/$siteId" params={{ siteId: s.site_id }} className="reveals-time block rounded-md py-1.5 hover:[&_.site-name]:underline">
          {children}
        </Link>
      )}
    />
  );
}


function NameCell({ site }: { site: Site }) {
  return (
    <>
      <span className="site-name block truncate font-medium">{site.name}</span>
      <span className="block truncate text-xs text-fg-dim">
        {site.attention_reasons.length > 0 ? site.attention_reasons.map(reasonText).join(" · ") : site.site_id}
      </span>
    </>
  );
}

function LinkCell({ site }: { site: Site }) {
  const t = useT();
  const { minute, day } = useFormats();
  return (
    <span className="flex flex-col items-start">
      <LinkStateBadge bare state={site.link_state} />
      {site.planned_until
        ? <span className="flex max-w-full gap-1 truncate pl-5.5 text-xs text-accent-fg" title={`${t("fleet.planned")} ${minute(Date.parse(site.planned_until))}`}><CalendarCheck2 aria-hidden className="size-3.5 shrink-0" />{day(Date.parse(site.planned_until))}<span className="sr-only">{t("fleet.planned")}</span></span>
        : <RelativeTime at={site.link_since} focusable={false} className="pl-5.5 text-xs text-fg-dim" />}
    </span>
  );
}

function RequestsCell({ site }: { site: Site }) {
  const t = useT();
  const { number } = useFormats();
  const old = useIsOld(site);
  const { open, emergency } = site.requests;
  if (site.data_as_of === undefined) return <span className="text-idle">{t("fleet.unknown")}</span>;
  if (emergency > 0) {
    return <span className="inline-flex items-center gap-1.5 font-medium text-bad"><Siren aria-hidden className="size-4" />{t("fleet.emergency", { n: number(emergency) })}</span>;
  }
  return open > 0 ? <span className={old ? "text-idle" : ""}>{number(open)}</span> : <span className="text-fg-dim">{t("fleet.none")}</span>;
}

/** Ready, late and lost. When the data is old it is grey: what is unknown is never green. */
function DevicesCell({ site }: { site: Site }) {
  const t = useT();
  const { number } = useFormats();
  const old = useIsOld(site);
  if (site.data_as_of === undefined) return <span className="text-idle">{t("fleet.unknown")}</span>;
  const { ready, late, lost } = site.counts;
  const label = t("fleet.devices.label", { ready: number(ready), late: number(late), lost: number(lost) });
  const parts = [
    { key: "ready", n: ready, icon: CircleCheck, tone: "text-ok" },
    { key: "late", n: late, icon: ClockAlert, tone: "text-warn" },
    { key: "lost", n: lost, icon: TriangleAlert, tone: "text-bad" },
  ];
  return (
    <span title={old ? `${t("fleet.devices.old")}: ${label}` : label} data-old={old} className={classes("flex items-center", old && "text-idle")}>
      <span className="sr-only">{old ? `${t("fleet.devices.old")}: ${label}` : label}</span>
      {parts.map(({ key, n, icon: Icon, tone }) => (
        <span key={key} aria-hidden className={classes("inline-flex w-14 items-center gap-1.5", n === 0 && "text-fg-dim")}>
          <Icon className={classes("size-4 shrink-0", old ? "text-idle" : n > 0 ? tone : "text-fg-dim")} />
          {number(n)}
        </span>
      ))}
      {old && <History aria-hidden className="size-4 text-warn" />}
    </span>
  );
}
