import { Button, DialogActions, Dialog, ErrorNote, Skeletons, useToast, type ApiError } from "@obedio/web";
import { Save, Trash2, Undo2 } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useCanWrite, usePermits, useT } from "../context";
import { security } from "../messages/security";
import { BackLink } from "../shell/BackLink";
import type { Editor } from "./useEditor";

export interface EditorFrameProps<V, D> {
  editor: Editor<V, D>;
  title: string;
  tab: "profiles" | "rules";
  /** The form cannot be saved yet, and why. */
  incomplete?: string | undefined;
  /** What removing is called here, and what happens then; absent where nothing can be removed. */
  removal?: { label: string; detail: string } | undefined;
  onSaved: () => void;
  onRemoved: () => void;
  form: (draft: D) => ReactNode;
  side: (draft: D) => ReactNode;
}

/** The form with the buttons that stay in sight, and below it what can be tried before saving. */
export function EditorFrame<V, D>({ editor, title, tab, incomplete, removal, onSaved, onRemoved, form, side }: EditorFrameProps<V, D>) {
  const t = useT(security);
  const toast = useToast();
  const mayChange = usePermits("security.write");
  const canWrite = useCanWrite();
  const [tried, setTried] = useState(false);
  const [removing, setRemoving] = useState(false);
  const { draft } = editor;
  const back = <BackLink to="/mqtt/security/acl" search={{ tab }}>{t(tab === "profiles" ? "acl.profiles" : "acl.rules")}</BackLink>;
  if (draft === undefined) {
    return (
      <>
        {back}
        {editor.error ? <ErrorNote error={editor.error} onRetry={editor.retry} /> : <Skeletons count={2} itemClass="h-80" className="grid gap-5 lg:grid-cols-[minmax(0,1fr)_24rem]" />}
      </>
    );
  }
  const save = async () => {
    setTried(true);
    if (incomplete || editor.work.busy) return;
    if (!(await editor.save())) return;
    toast({ tone: "ok", title: t("acl.saved"), detail: t("acl.saved.detail") });
    onSaved();
  };
  const remove = async () => {
    if (!(await editor.remove())) return;
    setRemoving(false);
    toast({ tone: "ok", title: t("acl.removed") });
    onRemoved();
  };
  return (
    <>
      {back}
      <form
        noValidate
        data-testid="editor"
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
        aria-label={title}
      >
        <div className="flex min-w-0 flex-col gap-5">
            {form(draft)}
            <div className="sticky bottom-[calc(4.25rem+env(safe-area-inset-bottom))] z-20 flex flex-wrap items-center gap-3 rounded-card border border-line bg-ink-800 px-4 py-3 shadow-raised md:bottom-4">
              <p role="status" className="min-w-0 flex-1 basis-48 text-sm">
                {editor.work.failure && !editor.theirs ? (
                  <span className="text-bad">{editor.work.failure}</span>
                ) : tried && incomplete ? (
                  <span className="text-warn">{incomplete}</span>
                ) : (
                  <span className="text-fg-muted">{t(!mayChange ? "acl.readOnly" : editor.dirty ? "acl.dirty" : "acl.clean")}</span>
                )}
              </p>
              {mayChange && removal && editor.view !== undefined && <Button kind="quiet" icon={removal.label === t("profile.restore") ? Undo2 : Trash2} disabled={!canWrite} onClick={() => setRemoving(true)}>{removal.label}</Button>}
              {mayChange && <Button kind="primary" type="submit" icon={Save} busy={editor.work.busy} disabled={!canWrite || !editor.dirty}>{t("acl.save")}</Button>}
            </div>
        </div>
      </form>
      {/* What is tried has a form of its own, which must not be inside the other. */}
      <div className="mt-6 grid items-start gap-5 lg:grid-cols-2">{side(draft)}</div>
      {removal && (
        <Dialog open={removing} onOpenChange={setRemoving} title={`${removal.label}?`} description={removal.detail}>
          {editor.work.failure && <p role="status" className="text-sm text-bad">{editor.work.failure}</p>}
          <DialogActions>
            <Button onClick={() => setRemoving(false)}>{t("dialog.cancel")}</Button>
            <Button kind="danger" busy={editor.work.busy} onClick={() => void remove()}>{removal.label}</Button>
          </DialogActions>
        </Dialog>
      )}
    </>
  );
}

/** What the hub says is wrong with one field of the body, such as acl_pattern[2]. */
export function fieldError(error: ApiError | undefined, field: string): string | undefined {
  return error?.errors.find((e) => e.location === `body.${field}` || e.location?.startsWith(`body.${field}.`))?.message;
}
