import { DataView, LinkStateBadge, Notice, RelativeTime, Skeletons, Tab, Tabs, useDerived, useFormats, useItem, useStatus, viewStateOf, type Collection } from "@obedio/web";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { ChevronLeft, History, SearchX } from "lucide-react";
import { Suspense, lazy, type ReactNode } from "react";
import type { Site } from "../api/resources";
import { useConsole, useReach, useSiteData, useT } from "../context";
import { DataAge, useIsOld } from "../fleet/SiteAge";
import { backlogOf } from "../fleet/sites";
import { siteTabs, type SiteTab } from "../router";
import { Page } from "../shell/Page";
import type { SiteData } from "../site-data";
import { CommandsTab } from "./CommandsTab";
import { DevicesTab } from "./DevicesTab";
import { OrdersTab } from "./OrdersTab";
import { Overview } from "./Overview";
import { RequestsTab } from "./RequestsTab";
import { SyncTab } from "./SyncTab";
import { TrafficTab } from "./TrafficTab";

// What is asked for seldom comes when it is.
const AuditTab = lazy(() => import("./AuditTab").then((m) => ({ default: m.AuditTab })));
const SiteAlerts = lazy(() => import("../alerts/AlertsPage").then((m) => ({ default: m.SiteAlerts })));
const ConfigurationTab = lazy(() => import("./ConfigurationTab").then((m) => ({ default: m.ConfigurationTab })));
const SecurityTab = lazy(() => import("./SecurityTab").then((m) => ({ default: m.SecurityTab })));

export function SitePage() {
  const t = useT();
  const { siteId } = useParams({ from: "/sites/$siteId" });
  const console = useConsole();
  const site = useItem(console.sites, siteId);
  return (
    <Page title={site?.name ?? siteId} name={site?.name ?? siteId}>
      <Link to="/fleet" className="-mt-2 mb-2 inline-flex min-h-control items-center gap-1 rounded-md pr-2 text-sm text-fg-muted hover:text-fg">
        <ChevronLeft aria-hidden className="size-5" />
        {t("site.back")}
      </Link>
      <SiteGate siteId={siteId}>{(known, data) => <SiteView site={known} data={data} />}</SiteGate>
    </Page>
  );
}

/** Waits for the site and its details; says so when there is no such site. */
export function SiteGate({ siteId, children }: { siteId: string; children: (site: Site, data: SiteData) => ReactNode }) {
  const t = useT();
  const console = useConsole();
  const site = useItem(console.sites, siteId);
  const data = useSiteData(siteId);
  const status = useStatus(console.sites);
  const state = viewStateOf({ status, total: site ? 1 : 0, shown: site ? 1 : 0, reach: useReach() });
  if (state.kind === "empty") {
    return <Notice testId="site-missing" icon={SearchX} title={t("site.missing")} detail={t("site.missing.detail", { id: siteId })} />;
  }
  return (
    <DataView
      state={state.kind === "partial" ? { kind: "live" } : state}
      quietLink
      onRetry={console.retry}
      empty={{ title: t("site.missing") }}
      skeleton={<Skeletons count={3} itemClass="h-32" className="flex flex-col gap-5" />}
    >
      {site && data && children(site, data)}
    </DataView>
  );
}

function SiteView({ site, data }: { site: Site; data: SiteData }) {
  const t = useT();
  const { number } = useFormats();
  const { tab = "overview" } = useSearch({ from: "/sites/$siteId" });
  const navigate = useNavigate({ from: "/sites/$siteId" });
  const counts = { alerts: site.open_alerts, devices: useCount(data.devices), requests: useCount(data.requests), commands: useCount(data.commands), orders: useCount(data.orders) };
  return (
    <div data-testid="site" data-site-id={site.site_id} data-link-state={site.link_state}>
      <SiteFacts site={site} />
      <div className="mt-6">
        <Tabs
          label={t("site.tabs")}
          value={tab}
          onChange={(next: SiteTab) => void navigate({ search: next === "overview" ? {} : { tab: next }, replace: true, resetScroll: false })}
          tabs={siteTabs.map((value) => ({
            value,
            label: t(`site.tab.${value}`),
            ...(value in counts ? { count: number(counts[value as keyof typeof counts]) } : {}),
          }))}
        >
          <Stamp site={site} />
          <Tab value="overview"><Overview site={site} /></Tab>
          <Tab value="devices"><DevicesTab site={site} data={data} /></Tab>
          <Tab value="requests"><RequestsTab site={site} data={data} /></Tab>
          <Tab value="commands"><CommandsTab site={site} data={data} /></Tab>
          <Tab value="orders"><OrdersTab data={data} /></Tab>
          <Tab value="traffic"><TrafficTab data={data} /></Tab>
          <Tab value="sync"><SyncTab data={data} /></Tab>
          <LaterTab value="alerts"><SiteAlerts siteId={site.site_id} /></LaterTab>
          <LaterTab value="configuration"><ConfigurationTab site={site} /></LaterTab>
          <LaterTab value="security"><SecurityTab site={site} /></LaterTab>
          <LaterTab value="audit"><AuditTab site={site} /></LaterTab>
        </Tabs>
      </div>
    </div>
  );
}

/** A tab whose content comes when it is asked for; its panel is there at once. */
function LaterTab({ value, children }: { value: SiteTab; children: ReactNode }) {
  return (
    <Tab value={value}>
      <Suspense fallback={<Skeletons count={2} itemClass="h-32" className="flex flex-col gap-5" />}>{children}</Suspense>
    </Tab>
  );
}

const sizeOf = (collection: Collection<never>) => collection.size;
function useCount<T>(collection: Collection<T>): number {
  return useDerived(collection as unknown as Collection<never>, sizeOf);
}

/** Link state and data age side by side: they are two things. */
function SiteFacts({ site }: { site: Site }) {
  const t = useT();
  const { number } = useFormats();
  const backlog = backlogOf(site.backlog);
  const unknown = <span className="text-idle">{t("fleet.unknown")}</span>;
  const tiles: { label: string; value: ReactNode }[] = [
    {
      label: t("fleet.col.link"),
      value: (
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <LinkStateBadge state={site.link_state} />
          <span className="text-xs font-normal text-fg-muted">{t("site.since")} <RelativeTime at={site.link_since} bare /></span>
        </span>
      ),
    },
    { label: t("site.contact"), value: site.last_contact ? <RelativeTime at={site.last_contact} /> : unknown },
    { label: t("site.data"), value: <DataAge site={site} /> },
    { label: t("site.backlog"), value: backlog === undefined ? unknown : number(backlog) },
    { label: t("site.orders"), value: number(site.orders_pending) },
  ];
  return (
    <dl className="grid gap-3 [grid-template-columns:repeat(auto-fit,minmax(min(100%,10rem),1fr))]">
      {tiles.map(({ label, value }) => (
        <div key={label} className="rounded-card border border-line bg-ink-850 px-4 py-3">
          <dt className="text-xs text-fg-dim">{label}</dt>
          <dd className="mt-1 flex min-h-7 items-center text-base font-semibold">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Every tab says how old its data is. */
export function Stamp({ site }: { site: Site }) {
  const t = useT();
  const old = useIsOld(site);
  if (site.data_as_of === undefined) {
    return (
      <p data-testid="stamp" className="flex items-center gap-2 pt-4 text-sm text-warn">
        <History aria-hidden className="size-4 shrink-0" />
        {t(site.last_contact === undefined ? "site.stamp.never" : "site.stamp.nothing")}
      </p>
    );
  }
  return (
    <p data-testid="stamp" data-old={old} className={old ? "flex items-start gap-2 pt-4 text-sm text-warn" : "flex items-start gap-2 pt-4 text-sm text-fg-muted"}>
      <History aria-hidden className="mt-0.5 size-4 shrink-0" />
      <span>{t("site.stamp")} <RelativeTime at={site.data_as_of} />. {old && t("site.stamp.old")}</span>
    </p>
  );
}
