import { Button, CheckField, Dialog, IconButton, Skeletons, TextField, useKeys, useItem, useStatus, useToast, useWork, type Collection } from "@obedio/web";
import { Bookmark, Plus, Trash2 } from "lucide-react";
import { useState, type FormEvent } from "react";
import type { SavedView } from "../api/resources";
import { useCanWrite, useConsole, useT } from "../context";
import { useServerList } from "../lists";
import { views as texts } from "../messages/views";

const keyOf = (v: SavedView) => v.view_id;
const byTitle = (c: Collection<SavedView>) => [...c.values()].sort((a, b) => a.title.localeCompare(b.title)).map(keyOf);

export interface ListView {
  filter: string;
  sort: string;
}

/** Filters and sortings of a list that people keep, for themselves or for everybody. */
export function SavedViews({ list, now, onChoose }: { list: SavedView["list"]; now: ListView; onChoose: (view: ListView) => void }) {
  const t = useT(texts);
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button icon={Bookmark} aria-haspopup="dialog" onClick={() => setOpen(true)}>{t("fleet.views")}</Button>
      <Dialog open={open} onOpenChange={setOpen} title={t("views.title")} testId="views">
        {open && <Content list={list} now={now} onChoose={(v) => { onChoose(v); setOpen(false); }} />}
      </Dialog>
    </>
  );
}

function Content({ list, now, onChoose }: { list: SavedView["list"]; now: ListView; onChoose: (view: ListView) => void }) {
  const t = useT(texts);
  const { list: views, reload } = useServerList<SavedView>("/views", keyOf, { list });
  const ids = useKeys(views, byTitle);
  const status = useStatus(views);
  return (
    <div className="flex flex-col gap-5">
      {status.phase === "failed" && <Button onClick={reload}>{t("view.retry")}</Button>}
      {ids.length === 0 && status.loadedAt === undefined && status.phase !== "failed" && <Skeletons count={2} itemClass="h-11" className="flex flex-col gap-2" />}
      {ids.length === 0 && status.loadedAt !== undefined && <p className="text-sm text-fg-muted">{t("views.none")}</p>}
      {ids.length > 0 && <ul className="-mx-2 flex flex-col">{ids.map((id) => <Row key={id} id={id} views={views} onChoose={onChoose} />)}</ul>}
      <Save list={list} now={now} onSaved={(v) => views.upsert(v)} />
    </div>
  );
}

function Row({ id, views, onChoose }: { id: string; views: Collection<SavedView>; onChoose: (view: ListView) => void }) {
  const t = useT(texts);
  const console = useConsole();
  const toast = useToast();
  const canWrite = useCanWrite();
  const work = useWork();
  const v = useItem(views, id);
  if (!v) return null;
  const remove = async () => {
    if (!(await work.run(() => console.api.delete(`/views/${encodeURIComponent(id)}`, { ifMatch: v.etag })))) return;
    views.remove(id);
    toast({ tone: "ok", title: t("views.removed") });
  };
  return (
    <li className="flex flex-wrap items-center gap-2">
      <button type="button" data-testid="view" onClick={() => onChoose({ filter: v.filter ?? "", sort: v.sort ?? "" })} className="min-h-control min-w-0 flex-1 rounded-control px-2 py-1.5 text-left hover:bg-ink-800">
        <span className="block truncate text-sm font-medium">{v.title} <span className="font-normal text-fg-dim">· {t(v.shared ? "views.everybodys" : "views.own")}</span></span>
        <code className="block truncate font-mono text-xs text-fg-muted">{v.filter || t("views.nothing")}</code>
      </button>
      {v.own && <IconButton icon={Trash2} label={`${t("views.remove")}: ${v.title}`} busy={work.busy} disabled={!canWrite} onClick={() => void remove()} />}
      {work.failure && <p role="status" className="basis-full text-sm text-bad">{work.failure}</p>}
    </li>
  );
}

function Save({ list, now, onSaved }: { list: SavedView["list"]; now: ListView; onSaved: (view: SavedView) => void }) {
  const t = useT(texts);
  const console = useConsole();
  const toast = useToast();
  const canWrite = useCanWrite();
  const work = useWork();
  const [title, setTitle] = useState("");
  const [shared, setShared] = useState(false);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    if (title.trim() === "" || work.busy) return;
    const done = await work.run(async () => {
      onSaved(await console.api.post<SavedView>("/views", { title: title.trim(), list, filter: now.filter, sort: now.sort, shared }));
      setTitle("");
    });
    if (done) toast({ tone: "ok", title: t("views.saved") });
  };
  return (
    <form noValidate onSubmit={(e) => void submit(e)} className="flex flex-col gap-2 border-t border-line pt-4">
      <p className="text-sm font-semibold">{t("views.save")}</p>
      <code className="block font-mono text-xs break-all text-fg-muted">{now.filter || t("views.nothing")}</code>
      <TextField label={t("views.name")} value={title} maxLength={80} onChange={(e) => setTitle(e.target.value)} />
      <CheckField label={t("views.shared")} checked={shared} onChange={setShared} />
      {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      <div className="flex justify-end"><Button kind="primary" type="submit" icon={Plus} busy={work.busy} disabled={!canWrite || title.trim() === ""}>{t("views.save")}</Button></div>
    </form>
  );
}
