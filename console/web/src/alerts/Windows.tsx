import {
  Button, DataView, Dialog, DialogActions, IconButton, Mark, RelativeTime, Section, Skeletons, TextField, useFormats, useItem, useKeys, useStatus, useToast, useWork, viewStateOf,
  type Collection,
} from "@obedio/web";
import { CalendarClock, CalendarCheck2, CalendarX2, Pencil, Plus, Trash2 } from "lucide-react";
import { useState, type FormEvent } from "react";
import type { OfflineWindow } from "../api/resources";
import { useCanWrite, useConsole, usePermits, useReach, useT } from "../context";
import { useServerList } from "../lists";
import { alerts as texts } from "../messages/alerts";

const keyOf = (w: OfflineWindow) => w.window_id;
const latestFirst = (c: Collection<OfflineWindow>) => [...c.values()].sort((a, b) => b.to.localeCompare(a.to)).map(keyOf);

/** Times in which sites are expected to be away. */
export function Windows({ siteId }: { siteId?: string }) {
  const t = useT(texts);
  const may = usePermits("alerts.acknowledge");
  const canWrite = useCanWrite();
  const { list, reload } = useServerList<OfflineWindow>("/offline-windows", keyOf, siteId === undefined ? undefined : { site: siteId });
  const ids = useKeys(list, latestFirst);
  const [edited, setEdited] = useState<OfflineWindow | "new">();
  const state = viewStateOf({ status: useStatus(list), total: ids.length, shown: ids.length, reach: useReach() });
  const add = may && <Button icon={Plus} disabled={!canWrite} onClick={() => setEdited("new")}>{t("windows.add")}</Button>;
  return (
    <Section title={t("alerts.windows")} note={t("windows.lead")} actions={ids.length > 0 && add} testId="windows">
      <DataView
        state={state}
        quietLink
        onRetry={reload}
        empty={{ title: t("windows.empty"), detail: t("windows.empty.detail"), action: add }}
        skeleton={<Skeletons count={2} itemClass="h-11" className="flex flex-col gap-3 p-4" />}
      >
        <ul className="divide-y divide-line/60">
          {ids.map((id) => <Row key={id} id={id} list={list} may={may} onEdit={setEdited} />)}
        </ul>
      </DataView>
      <Dialog open={edited !== undefined} onOpenChange={(open) => !open && setEdited(undefined)} title={t("windows.add")} testId="window-form">
        {edited !== undefined && <Form window={edited === "new" ? undefined : edited} siteId={siteId} onDone={(w) => { list.upsert(w); setEdited(undefined); }} />}
      </Dialog>
    </Section>
  );
}

function Row({ id, list, may, onEdit }: { id: string; list: Collection<OfflineWindow>; may: boolean; onEdit: (w: OfflineWindow) => void }) {
  const t = useT(texts);
  const console = useConsole();
  const toast = useToast();
  const canWrite = useCanWrite();
  const { minute } = useFormats();
  const work = useWork();
  const w = useItem(list, id);
  if (!w) return null;
  const when = Date.parse(w.to) < console.clock.now() ? "over" : Date.parse(w.from) > console.clock.now() ? "later" : "active";
  const Icon = { over: CalendarX2, later: CalendarClock, active: CalendarCheck2 }[when];
  const sites = w.tag ? t("windows.tagged", { tag: w.tag }) : (w.sites ?? []).join(", ");
  const remove = async () => {
    const done = await work.run(() => console.api.delete(`/offline-windows/${encodeURIComponent(id)}`, { ifMatch: w.etag }));
    if (!done) return;
    list.remove(id);
    toast({ tone: "ok", title: t("windows.removed") });
  };
  return (
    <li data-testid="window" data-when={when} className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2.5 text-sm">
      <Mark tone={when === "active" ? "accent" : "idle"} icon={Icon} className="w-20">{t(`windows.${when}`)}</Mark>
      <div className="min-w-0 flex-1 basis-56">
        <p className="truncate font-medium" title={sites}>{sites}</p>
        <p className="text-xs text-fg-muted">{`${minute(Date.parse(w.from))} – ${minute(Date.parse(w.to))}`}{w.note && ` · ${w.note}`}</p>
      </div>
      <span className="text-xs text-fg-dim">{w.updated_by.name || w.updated_by.id}, <RelativeTime at={w.updated_at} /></span>
      {work.failure && <p role="status" className="basis-full text-sm text-bad">{work.failure}</p>}
      {may && (
        <span className="flex">
          <IconButton icon={Pencil} label={`${t("windows.edit")}: ${sites}`} disabled={!canWrite} onClick={() => onEdit(w)} />
          <IconButton icon={Trash2} label={`${t("windows.remove")}: ${sites}`} busy={work.busy} disabled={!canWrite} onClick={() => void remove()} />
        </span>
      )}
    </li>
  );
}

/** A time as an input of the platform has it, in the zone of this screen. */
export function localInput(at: number): string {
  const d = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return d.toISOString().slice(0, 16);
}

function Form({ window: held, siteId, onDone }: { window: OfflineWindow | undefined; siteId: string | undefined; onDone: (w: OfflineWindow) => void }) {
  const t = useT(texts);
  const console = useConsole();
  const toast = useToast();
  const work = useWork();
  const now = console.clock.now();
  const [sites, setSites] = useState((held?.sites ?? (siteId ? [siteId] : [])).join(", "));
  const [tag, setTag] = useState(held?.tag ?? "");
  const [from, setFrom] = useState(localInput(held ? Date.parse(held.from) : now));
  const [to, setTo] = useState(localInput(held ? Date.parse(held.to) : now + 14 * 86_400_000));
  const [note, setNote] = useState(held?.note ?? "");
  const [tried, setTried] = useState(false);
  const ids = sites.split(",").map((s) => s.trim()).filter(Boolean);
  const wrong = (ids.length === 0) === (tag.trim() === "") || !(new Date(to) > new Date(from));
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (wrong || work.busy) return;
    const body = { ...(ids.length > 0 ? { sites: ids } : { tag: tag.trim() }), from: new Date(from).toISOString(), to: new Date(to).toISOString(), ...(note.trim() ? { note: note.trim() } : {}) };
    const done = await work.run(async () => {
      const path = "/offline-windows";
      onDone(held
        ? await console.api.put<OfflineWindow>(`${path}/${encodeURIComponent(held.window_id)}`, body, { ifMatch: held.etag })
        : await console.api.post<OfflineWindow>(path, body));
    });
    if (done) toast({ tone: "ok", title: t("windows.saved") });
  };
  return (
    <form noValidate onSubmit={(e) => void submit(e)} className="flex flex-col gap-4">
      <TextField label={t("windows.sites")} hint={t("windows.sitesHint")} value={sites} autoCapitalize="none" spellCheck={false} onChange={(e) => setSites(e.target.value)} />
      <TextField label={t("windows.tag")} value={tag} autoCapitalize="none" spellCheck={false} onChange={(e) => setTag(e.target.value)} />
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField label={t("windows.from")} type="datetime-local" value={from} onChange={(e) => setFrom(e.target.value)} />
        <TextField label={t("windows.to")} type="datetime-local" value={to} onChange={(e) => setTo(e.target.value)} />
      </div>
      <TextField label={t("windows.note")} hint={t("windows.noteHint")} value={note} maxLength={256} onChange={(e) => setNote(e.target.value)} />
      {tried && wrong && <p role="status" className="text-sm text-bad">{t("windows.needs")}</p>}
      {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      <DialogActions><Button kind="primary" type="submit" busy={work.busy}>{t("windows.save")}</Button></DialogActions>
    </form>
  );
}
