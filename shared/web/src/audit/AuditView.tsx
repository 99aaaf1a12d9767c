import { Bot, ChevronRight, ClockAlert, Download, History, RotateCcw, UserRound, WatchIcon, type LucideIcon } from "lucide-react";
import { useMemo, useState, type ReactNode } from "react";
import type { ApiClient } from "../api/client";
import { useFormats, useSentences } from "../i18n/context";
import { RelativeTime } from "../time/hooks";
import { Banner } from "../ui/Banner";
import { Button } from "../ui/Button";
import { Section } from "../ui/Card";
import { classes } from "../ui/classes";
import { DataView, Notice } from "../ui/DataView";
import { Skeletons } from "../ui/Skeleton";
import { viewStateOf, type Reach } from "../ui/view-state";
import { Audit } from "./audit";
import { AuditFilters } from "./AuditFilters";
import { ChainMark } from "./ChainMark";
import { auditTexts } from "./texts";
import { actorKind, daysTurned, entryKey, isFiltered, type ActorKind } from "./query";
import type { AuditEntry, AuditFilter } from "./types";
import { useAuditPages, type AuditPages } from "./useAuditPages";

export interface AuditViewProps {
  api: ApiClient;
  /** Where the audit is, such as /audit or /sites/yacht-1/audit. */
  path: string;
  filter: AuditFilter;
  onFilter: (filter: AuditFilter) => void;
  reach: Reach;
  onRetry: () => void;
}

/** An audit: whether it is whole, and what it says, the newest first. */
export function AuditView({ api, path, filter, onFilter, reach, onRetry }: AuditViewProps) {
  const t = useSentences(auditTexts);
  const audit = useMemo(() => new Audit(api, path), [api, path]);
  // The same filter is the same object, so that a page is read once for it.
  const key = JSON.stringify(filter);
  const asked = useMemo<AuditFilter>(() => {
    const parsed = JSON.parse(key) as AuditFilter;
    if (daysTurned(parsed)) delete parsed.to;
    return parsed;
  }, [key]);
  const pages = useAuditPages(audit, asked);
  return (
    <div className="flex flex-col gap-5">
      <ChainMark audit={audit} />
      <Section
        title={t("audit.list")}
        note={pages.readAt !== undefined && <>{t("audit.shown", { n: pages.entries.length })} · {t("audit.asOf")} <RelativeTime at={pages.readAt} /></>}
        actions={
          <>
            <Button kind="quiet" icon={RotateCcw} busy={pages.phase === "loading"} onClick={pages.reload}>{t("audit.refresh")}</Button>
            <Export audit={audit} filter={asked} />
          </>
        }
      >
        <div className="border-b border-line p-4"><AuditFilters value={filter} onChange={onFilter} /></div>
        <Entries pages={pages} filtered={isFiltered(asked)} reach={reach} onRetry={() => { onRetry(); pages.reload(); }} onClear={() => onFilter({})} />
      </Section>
    </div>
  );
}

/** The files come from the program itself: they can be larger than a page holds. */
function Export({ audit, filter }: { audit: Audit; filter: AuditFilter }) {
  const t = useSentences(auditTexts);
  return (
    <>
      {(["csv", "ndjson"] as const).map((format) => (
        <a
          key={format}
          href={audit.exportURL(filter, format)}
          download
          aria-label={t("audit.export.label", { format: t(`audit.export.${format}`) })}
          className="inline-flex min-h-control items-center gap-2 rounded-control border border-edge px-3 text-sm font-medium whitespace-nowrap transition-colors duration-150 hover:bg-ink-800"
        >
          <Download aria-hidden className="size-4.5" />
          {t(`audit.export.${format}`)}
        </a>
      ))}
    </>
  );
}

function Entries({ pages, filtered, reach, onRetry, onClear }: { pages: AuditPages; filtered: boolean; reach: Reach; onRetry: () => void; onClear: () => void }) {
  const t = useSentences(auditTexts);
  const { entries, phase, error, more } = pages;
  const total = entries.length;
  const state = viewStateOf({ status: { phase, error, loadedAt: undefined }, total, shown: total, reach });
  if (state.kind === "empty" && (filtered || more)) {
    return (
      <div data-view-state="filtered-empty">
        <Notice testId="audit-none" icon={History} title={t(more ? "audit.none.further" : "audit.none")} detail={t(more ? "audit.none.further.detail" : "audit.none.detail")}>
          {more && <Button kind="primary" onClick={pages.older}>{t("audit.further")}</Button>}
          <Button onClick={onClear}>{t("audit.filter.clear")}</Button>
        </Notice>
      </div>
    );
  }
  return (
    <DataView
      // A page that is being read, or could not be, has a place of its own below.
      state={state.kind === "partial" ? { kind: "live" } : state}
      quietLink
      onRetry={onRetry}
      empty={{ title: t("audit.empty"), detail: t("audit.empty.detail") }}
      skeleton={<Skeletons count={8} itemClass="h-9" className="flex flex-col gap-3 p-4" />}
    >
      <Table entries={entries} />
      <footer className="flex flex-col items-center gap-3 border-t border-line p-4">
        {phase === "failed" && <div className="w-full"><Banner tone="warn" icon={ClockAlert} title={t("audit.more.failed")} actions={<Button onClick={onRetry}>{t("view.retry")}</Button>} /></div>}
        {more
          ? <Button busy={phase === "loading"} onClick={pages.older}>{phase === "loading" ? t("audit.reading") : t("audit.older")}</Button>
          : !filtered && <p className="text-xs text-fg-dim">{t("audit.end")}</p>}
      </footer>
    </DataView>
  );
}

const columns = "lg:grid-cols-[minmax(7.5rem,.8fr)_minmax(9rem,1.2fr)_minmax(11rem,1.3fr)_minmax(8rem,1.3fr)_minmax(10rem,2.2fr)_2.25rem]";

function Table({ entries }: { entries: readonly AuditEntry[] }) {
  const t = useSentences(auditTexts);
  return (
    <div data-testid="audit">
      <div aria-hidden className={classes("hidden gap-x-5 border-b border-line px-4 py-2 text-xs text-fg-dim lg:grid", columns)}>
        {(["when", "who", "action", "target", "detail"] as const).map((name) => <span key={name}>{t(`audit.col.${name}`)}</span>)}
      </div>
      <ol className="divide-y divide-line/60">
        {entries.map((entry) => <Entry key={entryKey(entry)} entry={entry} />)}
      </ol>
    </div>
  );
}

const actorIcons: Record<ActorKind, LucideIcon> = { user: UserRound, device: WatchIcon, system: Bot, unknown: UserRound };

function Entry({ entry }: { entry: AuditEntry }) {
  const t = useSentences(auditTexts);
  const [open, setOpen] = useState(false);
  const kind = actorKind(entry);
  const Icon = actorIcons[kind];
  const detail = Object.entries(entry.detail ?? {});
  return (
    <li data-action={entry.action} data-target={entry.target} className="text-sm">
      <div className={classes("relative grid grid-cols-[minmax(0,1fr)_auto] gap-x-5 gap-y-1 px-4 py-2.5 hover:bg-ink-800/60 lg:items-center lg:py-1.5", columns)}>
        <span className="order-2 col-span-full flex items-center gap-2 text-fg-muted lg:order-none lg:col-span-1">
          <RelativeTime at={entry.at} />
          {!entry.clock_trusted && <ClockAlert aria-label={t("audit.clock")} className="size-4 text-warn" />}
        </span>
        <span className="order-3 col-span-full flex min-w-0 items-center gap-2 lg:order-none lg:col-span-1" title={t(`audit.actor.${kind}`)}>
          <Icon aria-hidden className="size-4 shrink-0 text-fg-dim" />
          <span className="sr-only">{t(`audit.actor.${kind}`)}</span>
          <span className="truncate">{entry.actor.name || entry.actor.id}</span>
        </span>
        <span className="order-1 min-w-0 self-center font-medium lg:order-none" title={entry.action}>{t("audit.did", { action: entry.action })}</span>
        <span className="order-4 col-span-full min-w-0 truncate text-fg-muted empty:hidden lg:order-none lg:col-span-1 lg:empty:block" title={entry.target}>{entry.target}</span>
        <span className="order-5 col-span-full min-w-0 truncate text-xs text-fg-dim empty:hidden lg:order-none lg:col-span-1 lg:empty:block">
          {detail.map(([k, v]) => `${k} ${v}`).join(" · ")}
        </span>
        <button
          type="button"
          aria-expanded={open}
          aria-label={t("audit.open", { n: entry.n })}
          onClick={() => setOpen(!open)}
          className="order-1 -my-1 inline-flex min-h-control min-w-control items-center justify-center justify-self-end rounded-control text-fg-muted hover:bg-ink-800 hover:text-fg lg:order-none"
        >
          <ChevronRight aria-hidden className={classes("size-5 transition-transform duration-150", open && "rotate-90")} />
        </button>
      </div>
      {open && <Whole entry={entry} />}
    </li>
  );
}

/** All that an entry says, with what binds it to its chain. */
function Whole({ entry }: { entry: AuditEntry }) {
  const t = useSentences(auditTexts);
  const { exact } = useFormats();
  const mono = (text: string) => <code className="font-mono break-all">{text}</code>;
  const facts: [string, ReactNode][] = [
    [t("audit.entry.at"), <>{exact(Date.parse(entry.at))} {!entry.clock_trusted && <span className="text-warn">· {t("audit.clock.short")}</span>}</>],
    [t("audit.entry.action"), mono(entry.action)],
    [t("audit.entry.n"), String(entry.n)],
    [t("audit.entry.actor"), mono(`${entry.actor.kind} ${entry.actor.id}`)],
    ...(entry.actor.person_id ? [[t("audit.entry.person"), mono(entry.actor.person_id)] as [string, ReactNode]] : []),
    ...(entry.target ? [[t("audit.col.target"), mono(entry.target)] as [string, ReactNode]] : []),
    ...Object.entries(entry.detail ?? {}).map(([k, v]) => [k, mono(v)] as [string, ReactNode]),
    [t("audit.entry.chain"), mono(entry.chain)],
    [t("audit.entry.hash"), mono(entry.hash)],
    [t("audit.entry.prev"), entry.prev ? mono(entry.prev) : t("audit.entry.first")],
  ];
  return (
    <dl data-testid="audit-entry" className="mx-4 mb-3 grid gap-x-6 gap-y-1 rounded-control bg-ink-900 px-4 py-3 text-xs sm:grid-cols-[max-content_1fr]">
      {facts.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-fg-dim">{name}</dt>
          <dd className="mb-1.5 sm:mb-0">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
