import {
  Button, CheckField, DataView, Dialog, DialogActions, Fold, IconButton, LinkStateBadge, Notice, RelativeTime, Section, Select, Skeletons, TextAreaField, TextField, useFormats, useItem,
  useKeys, useStatus, useToast, useWork, viewStateOf, type Collection,
} from "@obedio/web";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { ChevronLeft, Download, Pencil, Plus, SearchX, Trash2 } from "lucide-react";
import { useState, type FormEvent } from "react";
import type { Drift, OldVersion, Policy, PolicyDocument } from "../api/resources";
import { useCanWrite, useConsole, usePermits, useReach, useT } from "../context";
import { useGrowingList, useReading } from "../lists";
import { templates as texts } from "../messages/templates";
import { Page } from "../shell/Page";
import { DocumentDialog, FromSiteDialog } from "./DocumentDialogs";
import { changesOf, nameOf } from "./diff";
import { Diff, StandingMark, useKindWord } from "./parts";

/** One piece of policy: its documents, who has it, how far they are, and its versions. */
export function PolicyPage() {
  const t = useT(texts);
  const { policyId } = useParams({ from: "/templates/policies/$policyId" });
  const fresh = policyId === "new";
  return (
    <Page title={t(fresh ? "tpl.policy.add" : "tpl.policies")} name={t("tpl.policies")}>
      <Link to="/templates" className="-mt-2 mb-2 inline-flex min-h-control items-center gap-1 rounded-md pr-2 text-sm text-fg-muted hover:text-fg">
        <ChevronLeft aria-hidden className="size-5" />
        {t("tpl.back")}
      </Link>
      {fresh ? <Editor policy={undefined} onSaved={() => {}} /> : <Loaded key={policyId} policyId={policyId} />}
    </Page>
  );
}

function Loaded({ policyId }: { policyId: string }) {
  const t = useT(texts);
  const { data, state, again, put } = useReading<Policy>(`/policies/${encodeURIComponent(policyId)}`);
  const [taken, setTaken] = useState<Policy>();
  if (!data && state.kind === "error" && (state.error?.status === 404 || state.error?.status === 422)) {
    return <Notice testId="policy-missing" icon={SearchX} title={t("tpl.missing")} />;
  }
  const shown = taken ?? data;
  return (
    <DataView state={state} quietLink onRetry={again} empty={{ title: t("tpl.missing") }} skeleton={<Skeletons count={2} itemClass="h-44" className="flex flex-col gap-5" />}>
      {data && shown && (
        <div className="flex flex-col gap-5" data-testid="policy-page">
          <Editor key={`${data.etag} ${taken ? "taken" : ""}`} policy={shown} onSaved={(p) => { setTaken(undefined); put(p); }} />
          <DriftList key={`drift ${data.etag}`} policyId={policyId} />
          <Versions key={`versions ${data.etag}`} policyId={policyId} onTake={(v) => setTaken({ ...data, ...(v.body as Policy) })} />
        </div>
      )}
    </DataView>
  );
}

function Editor({ policy, onSaved }: { policy: Policy | undefined; onSaved: (p: Policy) => void }) {
  const t = useT(texts);
  const console = useConsole();
  const toast = useToast();
  const navigate = useNavigate();
  const may = usePermits("templates.write");
  const canWrite = useCanWrite();
  const work = useWork();
  const removing = useWork();
  const [title, setTitle] = useState(policy?.title ?? "");
  const [note, setNote] = useState(policy?.note ?? "");
  const [documents, setDocuments] = useState<readonly PolicyDocument[]>(policy?.documents ?? []);
  const [byFilter, setByFilter] = useState(policy?.filter !== undefined);
  const [filter, setFilter] = useState(policy?.filter ?? "");
  const [sites, setSites] = useState((policy?.sites ?? []).join(", "));
  const [sure, setSure] = useState(false);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    if (title.trim() === "" || work.busy) return;
    const ids = sites.split(",").map((s) => s.trim()).filter(Boolean);
    const body = {
      title: title.trim(), documents,
      ...(note.trim() ? { note: note.trim() } : {}),
      ...(byFilter ? { filter: filter.trim() } : {}),
      ...(ids.length > 0 ? { sites: ids } : {}),
    };
    await work.run(async () => {
      if (policy) {
        onSaved(await console.api.put<Policy>(`/policies/${encodeURIComponent(policy.policy_id)}`, body, { ifMatch: policy.etag }));
      } else {
        const made = await console.api.post<Policy>("/policies", body);
        await navigate({ to: "/templates/policies/$policyId", params: { policyId: made.policy_id }, replace: true });
      }
      toast({ tone: "ok", title: t("tpl.saved") });
    });
  };
  const remove = async () => {
    if (!policy || !(await removing.run(() => console.api.delete(`/policies/${encodeURIComponent(policy.policy_id)}`, { ifMatch: policy.etag })))) return;
    toast({ tone: "ok", title: t("tpl.removed") });
    await navigate({ to: "/templates" });
  };
  return (
    <form noValidate onSubmit={(e) => void submit(e)} data-testid="policy-form">
      <fieldset disabled={!may || !canWrite} className="grid items-start gap-5 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <Documents documents={documents} onChange={setDocuments} />
        <div className="flex flex-col gap-5">
          <Section title={t("tpl.about")}>
            <div className="flex flex-col gap-4 p-4">
              <TextField label={t("tpl.name")} value={title} maxLength={80} onChange={(e) => setTitle(e.target.value)} />
              <TextAreaField label={t("tpl.note")} rows={2} value={note} maxLength={1024} className="font-sans! text-sm!" onChange={(e) => setNote(e.target.value)} />
            </div>
          </Section>
          <Section title={t("tpl.assign")}>
            <div className="flex flex-col gap-4 p-4">
              <CheckField label={t("tpl.assign.filter")} checked={byFilter} onChange={setByFilter} />
              {byFilter && <TextField label={t("tpl.assign.filter")} hint={t("tpl.assign.filterHint")} value={filter} maxLength={500} autoCapitalize="none" spellCheck={false} className="font-mono text-xs" onChange={(e) => setFilter(e.target.value)} />}
              <TextField label={t("tpl.assign.sites")} hint={t("tpl.assign.sitesHint")} value={sites} autoCapitalize="none" spellCheck={false} onChange={(e) => setSites(e.target.value)} />
            </div>
          </Section>
          {(work.failure ?? removing.failure) && <p role="status" className="text-sm text-bad">{work.failure ?? removing.failure}</p>}
          {may && (
            <div className="flex flex-wrap justify-end gap-3">
              {policy && <Button icon={Trash2} onClick={() => setSure(true)}>{t("tpl.remove")}</Button>}
              <Button kind="primary" type="submit" busy={work.busy} disabled={title.trim() === ""}>{t(policy ? "tpl.save" : "tpl.create")}</Button>
            </div>
          )}
        </div>
      </fieldset>
      <Dialog open={sure} onOpenChange={setSure} title={t("tpl.remove.sure", { name: title })} description={t("tpl.remove.policy")} testId="remove-policy">
        <DialogActions>
          <Button onClick={() => setSure(false)}>{t("dialog.cancel")}</Button>
          <Button kind="danger" icon={Trash2} busy={removing.busy} onClick={() => void remove()}>{t("tpl.remove")}</Button>
        </DialogActions>
      </Dialog>
    </form>
  );
}

function Documents({ documents, onChange }: { documents: readonly PolicyDocument[]; onChange: (documents: readonly PolicyDocument[]) => void }) {
  const t = useT(texts);
  const word = useKindWord();
  const [edited, setEdited] = useState<number | "new">();
  const [from, setFrom] = useState(false);
  const put = (d: PolicyDocument) => {
    onChange([...documents.filter((x, i) => i !== edited && nameOf(x) !== nameOf(d)), d].sort((a, b) => nameOf(a).localeCompare(nameOf(b))));
    setEdited(undefined);
    setFrom(false);
  };
  return (
    <Section
      title={t("tpl.docs")}
      testId="documents"
      actions={
        <>
          <Button icon={Download} onClick={() => setFrom(true)}>{t("tpl.docs.from")}</Button>
          <Button icon={Plus} onClick={() => setEdited("new")}>{t("tpl.docs.add")}</Button>
        </>
      }
    >
      {documents.length === 0 ? <p className="p-4 text-sm text-fg-muted">{t("tpl.docs.none")}</p> : (
        <ul className="divide-y divide-line/60">
          {documents.map((d, i) => (
            <li key={nameOf(d)} data-testid="document" className="flex items-center gap-3 px-4 py-2 text-sm">
              <span className="min-w-0 flex-1">
                <span className="block truncate font-medium">{d.name}</span>
                <span className="block text-xs text-fg-muted">{word(d.kind)}</span>
              </span>
              <IconButton icon={Pencil} label={t("tpl.docs.edit", { name: nameOf(d) })} onClick={() => setEdited(i)} />
              <IconButton icon={Trash2} label={t("tpl.docs.drop", { name: nameOf(d) })} onClick={() => onChange(documents.filter((_, j) => j !== i))} />
            </li>
          ))}
        </ul>
      )}
      <DocumentDialog open={edited !== undefined} held={typeof edited === "number" ? documents[edited] : undefined} taken={documents.map(nameOf)} onDone={put} onClose={() => setEdited(undefined)} />
      <FromSiteDialog open={from} onDone={put} onClose={() => setFrom(false)} />
    </Section>
  );
}

const driftKey = (d: Drift) => d.site_id;
const byName = (c: Collection<Drift>) => [...c.values()].sort((a, b) => a.site_name.localeCompare(b.site_name)).map(driftKey);
const standings = ["in_sync", "pending", "overridden", "differs", "refused"] as const;

function DriftList({ policyId }: { policyId: string }) {
  const t = useT(texts);
  const [only, setOnly] = useState("");
  const { list, reload, more } = useGrowingList<Drift>(`/policies/${encodeURIComponent(policyId)}/sites`, driftKey, only ? { standing: only } : undefined, 50);
  const ids = useKeys(list, byName);
  const state = viewStateOf({ status: useStatus(list), total: ids.length, shown: ids.length, reach: useReach() });
  return (
    <Section
      title={t("tpl.drift")}
      testId="drift"
      actions={<Select aria-label={t("tpl.drift")} value={only} options={[{ value: "", label: t("tpl.all") }, ...standings.map((value) => ({ value, label: t(`tpl.standing.${value}`) }))]} onChange={(e) => setOnly(e.target.value)} />}
    >
      <DataView state={state} quietLink onRetry={reload} empty={{ title: t("tpl.drift.none") }} skeleton={<Skeletons count={3} itemClass="h-9" className="flex flex-col gap-3 p-4" />}>
        <ul className="divide-y divide-line/60">{ids.map((id) => <DriftRow key={id} id={id} list={list} />)}</ul>
        {more && <div className="flex justify-center p-4"><Button onClick={() => void more()}>{t("tpl.older")}</Button></div>}
      </DataView>
    </Section>
  );
}

function DriftRow({ id, list }: { id: string; list: Collection<Drift> }) {
  const t = useT(texts);
  const d = useItem(list, id);
  if (!d) return null;
  const applied = d.applied_version > 0 ? d.applied_version : t("tpl.drift.never");
  return (
    <li className="flex flex-wrap items-center gap-x-5 gap-y-1 px-4 py-2.5 text-sm">
      <Link to="/sites/$siteId" params={{ siteId: id }} search={{ tab: "configuration" }} className="min-w-0 flex-1 basis-48 truncate font-medium underline-offset-4 hover:underline">{d.site_name}</Link>
      <span className="w-44"><StandingMark standing={d.standing} /></span>
      <span className="text-xs text-fg-muted tabular-nums">{`${t("tpl.drift.wanted")} ${d.wanted_version} · ${t("tpl.drift.applied")} ${applied}`}</span>
      <span className="w-32"><LinkStateBadge bare state={d.link_state} /></span>
      {(d.overrides.length > 0 || d.detail) && <span className="basis-full text-xs break-words text-fg-muted">{d.detail || d.overrides.join(", ")}</span>}
    </li>
  );
}

const versionKey = (v: OldVersion) => String(v.version);
const newestFirst = (c: Collection<OldVersion>) => [...c.values()].sort((a, b) => b.version - a.version).map(versionKey);

function Versions({ policyId, onTake }: { policyId: string; onTake: (v: OldVersion) => void }) {
  const t = useT(texts);
  const { list, reload, more } = useGrowingList<OldVersion>(`/policies/${encodeURIComponent(policyId)}/versions`, versionKey, undefined, 20);
  const ids = useKeys(list, newestFirst);
  const state = viewStateOf({ status: useStatus(list), total: ids.length, shown: ids.length, reach: useReach() });
  return (
    <Section title={t("tpl.history")} testId="versions">
      <DataView state={state} quietLink onRetry={reload} empty={{ title: t("tpl.history") }} skeleton={<Skeletons count={2} itemClass="h-9" className="flex flex-col gap-3 p-4" />}>
        <ul className="divide-y divide-line/60">
          {ids.map((id) => {
            const v = list.get(id);
            return v && <VersionRow key={id} version={v} before={list.get(String(v.version - 1))} newest={id === ids[0]} onTake={onTake} />;
          })}
        </ul>
        {more && <div className="flex justify-center p-4"><Button onClick={() => void more()}>{t("tpl.older")}</Button></div>}
      </DataView>
    </Section>
  );
}

function VersionRow({ version: v, before, newest, onTake }: { version: OldVersion; before: OldVersion | undefined; newest: boolean; onTake: (v: OldVersion) => void }) {
  const t = useT(texts);
  const may = usePermits("templates.write");
  const { number } = useFormats();
  const is = (v.body as Policy | undefined)?.documents ?? [];
  const was = (before?.body as Policy | undefined)?.documents ?? [];
  const changes = changesOf(was, is);
  const body = (documents: readonly PolicyDocument[], name: string) => documents.find((d) => nameOf(d) === name)?.body;
  return (
    <li className="px-4 py-2.5 text-sm">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
        <span className="font-medium">{t("tpl.version", { n: v.version })}</span>
        <span className="text-xs text-fg-dim"><RelativeTime at={v.updated_at} /> {t("tpl.by", { name: v.updated_by.name || v.updated_by.id })}</span>
        <span className="min-w-0 flex-1 text-xs text-fg-muted">
          {v.removed ? t("tpl.history.removed") : changes.length === 0 ? t("tpl.history.same") : changes.map((c) => `${c.name} ${t(`tpl.diff.${c.kind}`)}`).join(", ")}
        </span>
        {may && !newest && !v.removed && <Button kind="quiet" onClick={() => onTake(v)}>{t("tpl.history.restore")}</Button>}
      </div>
      {changes.length > 0 && !v.removed && (
        <Fold title={t("tpl.history.show", { n: v.version })}>
          <div className="flex flex-col gap-3 pb-2">
            {changes.map((c) => (
              <div key={c.name}>
                <p className="mb-1 text-xs font-medium">{c.name}</p>
                <Diff label={`${c.name}, ${number(v.version)}`} before={body(was, c.name)} after={body(is, c.name)} />
              </div>
            ))}
          </div>
        </Fold>
      )}
    </li>
  );
}
