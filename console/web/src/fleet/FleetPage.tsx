import {
  Button, Chip, DataView, FilterBox, Skeletons, compileFilter, useDerived, useFormats, useSettledOrder, useSortedKeys, useStatus, viewStateOf,
} from "@obedio/web";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { ArrowUp, Download, Plus } from "lucide-react";
import { useMemo } from "react";
import { useConsole, usePermits, useReach, useT } from "../context";
import type { FleetSearch } from "../router";
import { Page } from "../shell/Page";
import { SavedViews } from "../views/SavedViews";
import { compareSites, countFleet, filterWords, siteFilter, sortNamed } from "./sites";
import { SitesTable } from "./SitesTable";
import { Tiles } from "./Tiles";

const chips = [
  ["attention", "attention:>0"],
  ["lost", "lost:>0"],
  ["orders", "orders:>0"],
  ["alerts", "alerts:>0"],
] as const;

/** The morning scan: which sites need somebody, and how old that knowledge is. */
export function FleetPage() {
  const t = useT();
  const console = useConsole();
  const { number, collator } = useFormats();
  const mayAdd = usePermits("sites.write");
  const search = useSearch({ from: "/fleet" });
  const navigate = useNavigate({ from: "/fleet" });
  const filterText = search.filter ?? "";
  const descending = search.sort?.startsWith("-") ?? false;
  const sort = sortNamed(search.sort?.replace(/^-/, ""));
  const change = (next: Partial<FleetSearch>) => void navigate({ search: (held) => clean({ ...held, ...next }), replace: true, resetScroll: false });
  const setFilter = (filter: string) => change({ filter });

  const filter = useMemo(() => compileFilter(siteFilter, filterText), [filterText]);
  const compare = useMemo(() => compareSites(sort, collator), [sort, collator]);
  const ids = useSortedKeys(console.sites, filter.matches, compare, descending);
  const settled = useSettledOrder(ids);
  const status = useStatus(console.sites);
  const counts = useDerived(console.sites, countFleet);
  const chipCounts = { attention: counts.attention, lost: counts.withLost, orders: counts.withOrders, alerts: counts.withAlerts };
  const state = viewStateOf({ status, total: counts.total, shown: ids.length, reach: useReach() });
  const toggle = (term: string) =>
    setFilter(filterText.includes(term) ? filterText.replace(term, "").replace(/\s+/g, " ").trim() : `${filterText} ${term}`.trim());
  const add = mayAdd && (
    <Link to="/add-site" className="inline-flex min-h-control items-center gap-2 rounded-control bg-accent px-4 text-sm font-medium whitespace-nowrap text-on-accent transition-colors duration-150 hover:bg-accent-strong">
      <Plus aria-hidden className="size-4.5" />
      {t("nav.add")}
    </Link>
  );
  return (
    <Page title={t("fleet.title")} name={t("fleet.title")} actions={add}>
      {counts.total > 0 && <Tiles filter={filterText} onFilter={setFilter} onSortByBacklog={() => change({ sort: "-backlog" })} />}
      <section aria-label={t("fleet.sites")} className="mt-5 rounded-card border border-line bg-ink-850" {...settled.handlers}>
        <header className="flex flex-wrap items-start gap-x-4 gap-y-3 border-b border-line px-4 py-3">
          <h2 className="flex min-h-control items-center gap-2 text-sm font-semibold">
            {t("fleet.sites")}
            <span className="font-normal text-fg-muted tabular-nums" data-testid="site-count">{t("fleet.shown", { shown: number(ids.length), total: number(counts.total) })}</span>
          </h2>
          <FilterBox
            value={filterText}
            onChange={setFilter}
            label={t("fleet.filter")}
            placeholder={t("fleet.filterHint")}
            faults={filter.faults}
            words={filterWords}
            testId="site-filter"
            className="w-full max-w-md min-w-0 flex-1 basis-64"
          />
          <div className="flex flex-wrap gap-2">
            {chips.map(([name, term]) => (
              <Chip key={name} label={t(`fleet.chip.${name}`)} count={number(chipCounts[name])} pressed={filterText.includes(term)} onPress={() => toggle(term)} />
            ))}
          </div>
          <div className="ml-auto flex flex-wrap gap-2">
            {settled.waiting > 0 && <Button kind="primary" icon={ArrowUp} onClick={settled.settle}>{t("fleet.new", { count: settled.waiting })}</Button>}
            {sort === "attention"
              ? <span className="flex min-h-control items-center text-xs text-fg-dim">{t("fleet.sortedByAttention")}</span>
              : <Button kind="quiet" onClick={() => change({ sort: "" })}>{t("fleet.sort.attention")}</Button>}
            <SavedViews list="sites" now={{ filter: filterText, sort: search.sort ?? "" }} onChoose={change} />
            <a href={console.api.url("/sites/export", { filter: filterText || undefined })} download className="inline-flex min-h-control items-center gap-2 rounded-control border border-edge px-4 text-sm font-medium hover:bg-ink-800">
              <Download aria-hidden className="size-4.5" />
              {t("fleet.csv")}
            </a>
          </div>
        </header>
        <DataView
          state={state}
          quietLink
          onRetry={console.retry}
          onClearFilter={() => setFilter("")}
          empty={{ title: t("fleet.empty"), detail: t("fleet.empty.detail"), action: add }}
          skeleton={<Skeletons count={8} itemClass="h-11" className="flex flex-col gap-3 p-4" />}
        >
          <SitesTable ids={settled.ids} sorting={{ column: sort, descending }} onSortingChange={(s) => change({ sort: `${s.descending ? "-" : ""}${s.column}` })} />
        </DataView>
      </section>
    </Page>
  );
}

function clean(search: FleetSearch): FleetSearch {
  return { ...(search.filter ? { filter: search.filter } : {}), ...(search.sort && search.sort !== "attention" ? { sort: search.sort } : {}) };
}
