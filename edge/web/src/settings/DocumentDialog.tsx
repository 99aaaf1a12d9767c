import { Banner, Button, Dialog, DialogActions, ErrorNote, Skeletons, useToast } from "@obedio/web";
import { GitMerge, Save, Trash2, Undo2 } from "lucide-react";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { useCanWrite, useT } from "../context";
import { calling } from "../messages/calling";
import type { Editor } from "../security/useEditor";

export interface DocumentDialogProps<V, D> {
  editor: Editor<V, D>;
  title: string;
  /** What is wrong with the draft, if it cannot be saved yet. */
  wrong?: string | undefined;
  /** What removing is called, and what it does; absent where nothing can be removed. */
  removal?: { restores: boolean; detail: string } | undefined;
  /** What somebody else has saved meanwhile, in words. */
  theirs: (view: V) => ReactNode;
  onClose: () => void;
  onSaved: () => void;
  children: (draft: D, tried: boolean) => ReactNode;
}

/** Edits one document of the settings. A change by others is shown beside the draft, and a person decides. */
export function DocumentDialog<V, D>({ editor, title, wrong, removal, theirs, onClose, onSaved, children }: DocumentDialogProps<V, D>) {
  const t = useT(calling);
  const toast = useToast();
  const canWrite = useCanWrite();
  const [tried, setTried] = useState(false);
  const [removing, setRemoving] = useState(false);
  const { draft, work } = editor;
  const clash = useRef<HTMLDivElement>(null);
  const clashes = editor.theirs !== undefined;
  useEffect(() => {
    if (clashes) clash.current?.scrollIntoView({ block: "nearest" });
  }, [clashes]);
  const finish = (done: boolean, word: string) => {
    if (!done) return;
    toast({ tone: "ok", title: word });
    onSaved();
    onClose();
  };
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={title} testId="document">
      {draft === undefined ? (
        editor.error ? <ErrorNote error={editor.error} onRetry={editor.retry} /> : <Skeletons count={1} itemClass="h-64" />
      ) : (
        <form
          noValidate
          className="flex flex-col gap-5"
          onSubmit={(e) => {
            e.preventDefault();
            setTried(true);
            if (!wrong && !work.busy) void editor.save().then((done) => finish(done, t("calling.saved")));
          }}
        >
          {children(draft, tried)}
          <div ref={clash} className="empty:hidden">{editor.theirs && (
            <Banner
              tone="warn"
              icon={GitMerge}
              testId="clash"
              title={t("calling.clash")}
              actions={
                <>
                  <Button onClick={editor.takeTheirs}>{t("calling.clash.take")}</Button>
                  <Button kind="danger" onClick={() => void editor.overwrite().then((done) => finish(done, t("calling.saved")))}>{t("calling.clash.mine")}</Button>
                </>
              }
            >
              {theirs(editor.theirs)}
            </Banner>
          )}</div>
          {tried && wrong && <p role="status" className="text-sm text-warn">{wrong}</p>}
          {work.failure && !editor.theirs && <p role="status" className="text-sm text-bad">{work.failure}</p>}
          {removing && removal ? (
            <Banner
              tone="warn"
              icon={removal.restores ? Undo2 : Trash2}
              title={removal.detail}
              actions={
                <>
                  <Button onClick={() => setRemoving(false)}>{t("dialog.cancel")}</Button>
                  <Button kind="danger" busy={work.busy} onClick={() => void editor.remove().then((done) => finish(done, t("calling.removed")))}>{t(removal.restores ? "calling.restore" : "calling.remove")}</Button>
                </>
              }
            />
          ) : (
            <DialogActions>
              {removal && editor.view !== undefined && <Button kind="quiet" icon={removal.restores ? Undo2 : Trash2} disabled={!canWrite} onClick={() => setRemoving(true)}>{t(removal.restores ? "calling.restore" : "calling.remove")}</Button>}
              <Button onClick={onClose}>{t("dialog.cancel")}</Button>
              <Button type="submit" kind="primary" icon={Save} busy={work.busy} disabled={!canWrite || !editor.dirty}>{t("calling.save")}</Button>
            </DialogActions>
          )}
        </form>
      )}
    </Dialog>
  );
}
