import { Button, DataView, RelativeTime, Section, Skeletons, Tab, Tabs, useFormats, useItem, useKeys, useStatus, viewStateOf, type Collection } from "@obedio/web";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useState } from "react";
import type { Policy, Template } from "../api/resources";
import { useCanWrite, usePermits, useReach, useT } from "../context";
import { useServerList } from "../lists";
import { templates as texts } from "../messages/templates";
import { Page } from "../shell/Page";
import { TemplateDialog } from "./TemplateDialog";

export const policyKey = (p: Policy): string => p.policy_id;
export const templateKey = (v: Template): string => v.template_id;
const byTitle = (c: Collection<{ title: string }>, key: (v: never) => string) => [...c.values()].sort((a, b) => a.title.localeCompare(b.title)).map((v) => key(v as never));
const policiesByTitle = (c: Collection<Policy>) => byTitle(c as unknown as Collection<{ title: string }>, policyKey);
const templatesByTitle = (c: Collection<Template>) => byTitle(c as unknown as Collection<{ title: string }>, templateKey);

type Shown = "policies" | "templates";

/** What sites are to have, and what new ones begin with. */
export function TemplatesPage() {
  const t = useT(texts);
  const shown: Shown = useSearch({ from: "/templates" }).tab ?? "policies";
  const navigate = useNavigate({ from: "/templates" });
  return (
    <Page title={t("tpl.title")} name={t("tpl.title")}>
      <Tabs
        label={t("tpl.title")}
        value={shown}
        onChange={(next: Shown) => void navigate({ search: next === "policies" ? {} : { tab: next }, replace: true })}
        tabs={[{ value: "policies", label: t("tpl.policies") }, { value: "templates", label: t("tpl.templates") }]}
      >
        <Tab value="policies"><Policies /></Tab>
        <Tab value="templates"><Templates /></Tab>
      </Tabs>
    </Page>
  );
}

const primary = "inline-flex min-h-control items-center gap-2 rounded-control bg-accent px-4 text-sm font-medium whitespace-nowrap text-on-accent transition-colors duration-150 hover:bg-accent-strong";

function Policies() {
  const t = useT(texts);
  const may = usePermits("templates.write");
  const { list, reload } = useServerList<Policy>("/policies", policyKey);
  const ids = useKeys(list, policiesByTitle);
  const state = viewStateOf({ status: useStatus(list), total: ids.length, shown: ids.length, reach: useReach() });
  const add = may && <Link to="/templates/policies/$policyId" params={{ policyId: "new" }} className={primary}><Plus aria-hidden className="size-4.5" />{t("tpl.policy.add")}</Link>;
  return (
    <Section title={t("tpl.policies")} note={t("tpl.policies.lead")} actions={ids.length > 0 && add} testId="policies">
      <DataView state={state} quietLink onRetry={reload} empty={{ title: t("tpl.policy.empty"), detail: t("tpl.policy.empty.detail"), action: add }} skeleton={<Skeletons count={3} itemClass="h-11" className="flex flex-col gap-3 p-4" />}>
        <ul className="divide-y divide-line/60">{ids.map((id) => <PolicyRow key={id} id={id} list={list} />)}</ul>
      </DataView>
    </Section>
  );
}

function PolicyRow({ id, list }: { id: string; list: Collection<Policy> }) {
  const t = useT(texts);
  const { number } = useFormats();
  const p = useItem(list, id);
  if (!p) return null;
  return (
    <li data-testid="policy" className="relative flex flex-wrap items-center gap-x-5 gap-y-1 px-4 py-3 text-sm hover:bg-ink-800/60">
      <div className="min-w-0 flex-1 basis-56">
        <Link to="/templates/policies/$policyId" params={{ policyId: id }} className="font-medium after:absolute after:inset-0">{p.title}</Link>
        {p.note && <p className="truncate text-xs text-fg-muted">{p.note}</p>}
      </div>
      <span className="text-fg-muted">{t("tpl.documents", { n: p.documents.length })}</span>
      <span className="text-fg-muted">{t("tpl.assigned", { n: p.assigned, shown: number(p.assigned) })}</span>
      <span className="text-xs text-fg-dim">{t("tpl.version", { n: p.version })} · <RelativeTime at={p.updated_at} focusable={false} /> {t("tpl.by", { name: p.updated_by.name || p.updated_by.id })}</span>
    </li>
  );
}

function Templates() {
  const t = useT(texts);
  const may = usePermits("templates.write");
  const canWrite = useCanWrite();
  const { list, reload } = useServerList<Template>("/templates", templateKey);
  const ids = useKeys(list, templatesByTitle);
  const [edited, setEdited] = useState<Template | "new">();
  const state = viewStateOf({ status: useStatus(list), total: ids.length, shown: ids.length, reach: useReach() });
  const add = may && <Button icon={Plus} kind="primary" disabled={!canWrite} onClick={() => setEdited("new")}>{t("tpl.template.add")}</Button>;
  return (
    <Section title={t("tpl.templates")} note={t("tpl.templates.lead")} actions={ids.length > 0 && add} testId="templates">
      <DataView state={state} quietLink onRetry={reload} empty={{ title: t("tpl.template.empty"), detail: t("tpl.template.empty.detail"), action: add }} skeleton={<Skeletons count={3} itemClass="h-11" className="flex flex-col gap-3 p-4" />}>
        <ul className="divide-y divide-line/60">{ids.map((id) => <TemplateRow key={id} id={id} list={list} onOpen={setEdited} />)}</ul>
      </DataView>
      <TemplateDialog edited={edited} onClose={() => setEdited(undefined)} onSaved={(v) => list.upsert(v)} onRemoved={(id) => list.remove(id)} />
    </Section>
  );
}

function TemplateRow({ id, list, onOpen }: { id: string; list: Collection<Template>; onOpen: (v: Template) => void }) {
  const t = useT(texts);
  const { number } = useFormats();
  const v = useItem(list, id);
  if (!v) return null;
  const about = [...(v.settings.tags ?? []), v.settings.zone, v.settings.link_profile].filter(Boolean).join(" · ");
  return (
    <li data-testid="template" className="relative flex flex-wrap items-center gap-x-5 gap-y-1 px-4 py-3 text-sm hover:bg-ink-800/60">
      <div className="min-w-0 flex-1 basis-56">
        <button type="button" onClick={() => onOpen(v)} className="font-medium after:absolute after:inset-0">{v.title}</button>
        <p className="truncate text-xs text-fg-muted">{about || v.note}</p>
      </div>
      <span className="text-fg-muted">{t("tpl.began", { n: v.sites, shown: number(v.sites) })}</span>
      <span className="text-xs text-fg-dim">{t("tpl.version", { n: v.version })} · <RelativeTime at={v.updated_at} focusable={false} /> {t("tpl.by", { name: v.updated_by.name || v.updated_by.id })}</span>
    </li>
  );
}
