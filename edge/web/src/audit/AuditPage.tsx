import {
  Button, DataView, Fold, IconButton, RelativeTime, SelectField, Skeletons, TextField, useCell, useFormats, viewStateOf, type ApiError, type Page as ApiPage, type Query,
} from "@obedio/web";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Bot, Clock3, Cpu, Download, ServerCog, User, X, type LucideIcon } from "lucide-react";
import { useState, type FormEvent } from "react";
import type { AuditEntry } from "../api/resources";
import { useHub, useReach, useT } from "../context";
import type { AuditSearch } from "../router";
import { FileLink } from "../shell/ButtonLink";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { Chain } from "./Chain";
import { auditAreas, detailRows, instantOf } from "./words";

const pageSize = 100;

/** Who has done what, newest first, and whether it is what was written. */
export function AuditPage() {
  const t = useT();
  return (
    <Page title={t("audit.title")}>
      <Guard needs="audit.read"><Audit /></Guard>
    </Page>
  );
}

function queryOf(search: AuditSearch): Query {
  return { action: search.action, actor: search.actor, target: search.target, from: search.from, to: search.to };
}

function Audit() {
  const t = useT();
  const hub = useHub();
  const reach = useReach();
  const search = useSearch({ from: "/mqtt/audit" });
  const navigate = useNavigate({ from: "/mqtt/audit" });
  const readings = useCell(hub.readings);
  const filter = queryOf(search);
  const filtered = Object.values(filter).some((v) => v !== undefined);
  const list = useInfiniteQuery<ApiPage<AuditEntry>, ApiError, AuditEntry[], unknown[], string | undefined>({
    queryKey: ["audit", filter, readings],
    queryFn: ({ pageParam, signal }) => hub.api.get("/audit", { query: { ...filter, limit: pageSize, cursor: pageParam }, signal }),
    initialPageParam: undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    select: (data) => data.pages.flatMap((p) => p.items),
    gcTime: 0,
  });
  const entries = list.data ?? [];
  const state = viewStateOf({
    status: { phase: list.isPending ? "loading" : list.isError ? (entries.length > 0 ? "partial" : "failed") : "ready", error: list.error ?? undefined, loadedAt: undefined },
    total: entries.length === 0 && filtered && list.isSuccess ? 1 : entries.length,
    shown: entries.length,
    reach,
  });
  return (
    <div className="flex flex-col gap-5">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <Chain />
        <div className="flex flex-wrap gap-3">
          <FileLink icon={Download} href={hub.api.url("/audit/export", { ...filter, format: "csv" })} name="audit.csv">{t("audit.csv")}</FileLink>
          <FileLink icon={Download} href={hub.api.url("/audit/export", { ...filter, format: "ndjson" })} name="audit.ndjson">{t("audit.ndjson")}</FileLink>
        </div>
      </div>
      <Filters key={JSON.stringify(filter)} search={search} filtered={filtered} onChange={(next) => void navigate({ search: next, replace: true, resetScroll: false })} />
      <DataView
        state={state.kind === "filtered-empty" ? { kind: "empty" } : state}
        quietLink
        onRetry={() => void list.refetch()}
        empty={filtered ? {
          title: t("audit.none"), detail: t("audit.none.detail"),
          action: list.hasNextPage ? <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{t("audit.older")}</Button> : <Button onClick={() => void navigate({ search: {} })}>{t("view.filtered.clear")}</Button>,
        } : { title: t("audit.empty") }}
        skeleton={<Skeletons count={8} itemClass="h-14" className="flex flex-col gap-2" />}
      >
        <ol data-testid="audit" className="divide-y divide-line rounded-card border border-line bg-ink-850">
          {entries.map((e) => <Entry key={`${e.chain} ${e.n}`} entry={e} />)}
        </ol>
        <div className="mt-4 flex items-center justify-center gap-4 text-sm text-fg-muted">
          {list.hasNextPage ? <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{t("audit.older")}</Button> : <p>{t("audit.begin")}</p>}
        </div>
      </DataView>
    </div>
  );
}

const actorIcons: Record<string, LucideIcon> = { user: User, device: Cpu, system: ServerCog };

function Entry({ entry: e }: { entry: AuditEntry }) {
  const t = useT();
  const { minute } = useFormats();
  const Icon = actorIcons[e.actor.kind] ?? Bot;
  const details = detailRows(e.detail);
  return (
    <li data-testid="audit-entry" data-action={e.action} className="px-4 py-3">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
        <p className="flex min-w-0 flex-wrap items-baseline gap-x-2 text-sm">
          <span title={e.action} className="font-medium">{t("audit.did", { action: e.action })}</span>
          {e.target && <span className="break-all text-fg-muted">{e.target}</span>}
        </p>
        <span className="flex items-center gap-2 text-xs text-fg-dim">
          {!e.clock_trusted && <span className="inline-flex items-center gap-1 text-warn"><Clock3 aria-hidden className="size-3.5" />{t("audit.untrusted")}</span>}
          <span>{minute(Date.parse(e.at))}</span>
          <RelativeTime at={e.at} />
        </span>
      </div>
      <p className="mt-1 flex flex-wrap items-center gap-x-2 gap-y-1 text-xs text-fg-muted">
        <span className="inline-flex items-center gap-1.5"><Icon aria-hidden className="size-3.5 shrink-0" />{e.actor.name || e.actor.id}</span>
        {details.map(([k, v]) => (
          <span key={k} className="max-w-full rounded-md bg-ink-800 px-1.5 py-0.5 break-all"><span className="text-fg-dim">{k}</span> {v}</span>
        ))}
        <span className="ml-auto text-fg-dim">{t("audit.number", { n: e.n })}</span>
      </p>
    </li>
  );
}

function Filters({ search, filtered, onChange }: { search: AuditSearch; filtered: boolean; onChange: (search: AuditSearch) => void }) {
  const t = useT();
  const [action, setAction] = useState(search.action ?? "");
  const [actor, setActor] = useState(search.actor ?? "");
  const [target, setTarget] = useState(search.target ?? "");
  const [from, setFrom] = useState(localOf(search.from));
  const [to, setTo] = useState(localOf(search.to));
  const { minute } = useFormats();
  const submit = (e: FormEvent) => {
    e.preventDefault();
    onChange({
      ...(action ? { action } : {}), ...(actor.trim() ? { actor: actor.trim() } : {}), ...(target.trim() ? { target: target.trim() } : {}),
      ...named("from", instantOf(from)), ...named("to", instantOf(to)),
    });
  };
  const inWords = [
    search.action && t("audit.area", { area: search.action }), search.actor, search.target,
    search.from && `${t("audit.from")} ${minute(Date.parse(search.from))}`, search.to && `${t("audit.to")} ${minute(Date.parse(search.to))}`,
  ].filter(Boolean).join(" · ");
  const areas = [...new Set([...auditAreas, ...(action ? [action] : [])])];
  return (
    <div className="relative rounded-card border border-line bg-ink-850 px-4 py-1">
      <Fold title={t("audit.filter")} note={filtered ? inWords : t("audit.filter.off")} className={filtered ? "[&>summary]:pr-10" : ""}>
        <form data-testid="audit-filter" onSubmit={submit} className="grid gap-4 pt-2 pb-3 sm:grid-cols-2 lg:grid-cols-5">
          <SelectField label={t("audit.action")} value={action} onChange={(e) => setAction(e.target.value)} options={[{ value: "", label: t("audit.action.all") }, ...areas.map((a) => ({ value: a, label: t("audit.area", { area: a }) }))]} />
          <TextField label={t("audit.actor")} hint={t("audit.actor.hint")} value={actor} maxLength={128} autoCapitalize="none" onChange={(e) => setActor(e.target.value)} />
          <TextField label={t("audit.target")} hint={t("audit.target.hint")} value={target} maxLength={128} autoCapitalize="none" onChange={(e) => setTarget(e.target.value)} />
          <TextField label={t("audit.from")} type="datetime-local" value={from} onChange={(e) => setFrom(e.target.value)} />
          <TextField label={t("audit.to")} type="datetime-local" value={to} onChange={(e) => setTo(e.target.value)} />
          <div className="flex flex-wrap gap-3 sm:col-span-2 lg:col-span-5">
            <Button kind="primary" type="submit">{t("audit.show")}</Button>
          </div>
        </form>
      </Fold>
      {filtered && <IconButton icon={X} label={t("view.filtered.clear")} onClick={() => onChange({})} className="absolute! top-1 right-1" />}
    </div>
  );
}

function named<K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> {
  return (value === undefined ? {} : { [key]: value }) as Partial<Record<K, string>>;
}

/** An instant as a datetime-local field takes it. */
function localOf(instant: string | undefined): string {
  if (instant === undefined) return "";
  const at = new Date(instant);
  return Number.isNaN(at.getTime()) ? "" : new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
