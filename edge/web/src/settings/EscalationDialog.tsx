import { Button, IconButton, SelectField, spanOf } from "@obedio/web";
import { Plus, Trash2 } from "lucide-react";
import type { Escalation } from "../api/resources";
import { useT } from "../context";
import { calling } from "../messages/calling";
import { NumberField } from "../security/NumberField";
import { useEditor } from "../security/useEditor";
import { escalationDraft, inOrder, nextLevel, recipients, recipientsOf, type EscalationDraft, type Priority } from "./calls";
import { DocumentDialog } from "./DocumentDialog";

const mostLevels = 8;
const blank: EscalationDraft = { levels: [], ring_every_s: 60, missed_after_s: 0, late_max_s: 0 };

/** Who is told of calls of one priority, step by step. */
export function EscalationDialog({ priority, builtIn, onClose, onSaved }: { priority: Priority; builtIn: boolean; onClose: () => void; onSaved: () => void }) {
  const t = useT(calling);
  const name = t(`calling.priority.${priority}`);
  const editor = useEditor<Escalation, EscalationDraft>({ path: "/escalations", id: priority, draftOf: escalationDraft, bodyOf: (d) => d, newBodyOf: (d) => ({ priority, ...d }), blank });
  return (
    <DocumentDialog
      editor={editor}
      title={t("calling.escalation.of", { priority: name })}
      wrong={editor.draft && !inOrder(editor.draft.levels) ? t("calling.level.order") : undefined}
      removal={builtIn ? undefined : { restores: true, detail: t("calling.restore.detail", { name }) }}
      theirs={(v) => <EscalationWords escalation={escalationDraft(v)} />}
      onClose={onClose}
      onSaved={onSaved}
    >
      {(d) => {
        const set = (i: number, level: Partial<EscalationDraft["levels"][number]>) => editor.set({ ...d, levels: d.levels.map((l, at) => (at === i ? { ...l, ...level } : l)) });
        return (
          <>
            <ol className="flex flex-col gap-3">
              {d.levels.map((level, i) => (
                // Steps have no name but their place.
                // oxlint-disable-next-line react/no-array-index-key
                <li key={i} className="grid grid-cols-[minmax(0,1fr)_auto] items-end gap-3 border-b border-line pb-3 sm:grid-cols-[minmax(0,1fr)_minmax(0,1fr)_auto] sm:border-0 sm:pb-0">
                  <div className="col-span-2 sm:col-span-1"><SelectField label={t("calling.level.to", { n: i + 1 })} value={recipientsOf(level.to)} onChange={(e) => set(i, { to: e.target.value })} options={recipients.map((r) => ({ value: r, label: t(`calling.to.${r}`) }))} /></div>
                  {i > 0 && <NumberField label={t("calling.level.after", { n: i + 1 })} min={0} value={level.after_s} onChange={(n) => set(i, { after_s: n ?? 0 })} />}
                  {i > 0 && <IconButton icon={Trash2} label={t("calling.level.remove", { n: i + 1 })} onClick={() => editor.set({ ...d, levels: d.levels.filter((_, at) => at !== i) })} />}
                </li>
              ))}
            </ol>
            {d.levels.length < mostLevels && <Button icon={Plus} className="self-start" onClick={() => editor.set({ ...d, levels: [...d.levels, nextLevel(d.levels)] })}>{t("calling.level.add")}</Button>}
            <NumberField label={t("calling.ring")} min={1} value={d.ring_every_s} onChange={(n) => editor.set({ ...d, ring_every_s: n ?? 1 })} />
            <div className="grid gap-4 sm:grid-cols-2">
              <NumberField label={t("calling.missed")} hint={t("calling.missed.hint")} min={0} value={d.missed_after_s} onChange={(n) => editor.set({ ...d, missed_after_s: n ?? 0 })} />
              <NumberField label={t("calling.late")} hint={t("calling.late.hint")} min={0} value={d.late_max_s} onChange={(n) => editor.set({ ...d, late_max_s: n ?? 0 })} />
            </div>
            <div data-testid="preview" aria-live="polite" className="rounded-control bg-ink-900 px-4 py-2"><EscalationWords escalation={d} /></div>
          </>
        );
      }}
    </DocumentDialog>
  );
}

/** The same in plain words. */
export function EscalationWords({ escalation: e }: { escalation: EscalationDraft }) {
  const t = useT(calling);
  const span = (s: number) => spanOf(s * 1000);
  const [first, ...more] = e.levels;
  return (
    <ul className="mt-1 flex flex-col gap-1 text-sm">
      {first && <li>{t("calling.say.first", { to: t(`calling.say.to.${recipientsOf(first.to)}`), ring: span(e.ring_every_s) })}</li>}
      {/* oxlint-disable-next-line react/no-array-index-key -- steps have no name but their place */}
      {more.map((l, i) => <li key={i}>{t("calling.say.next", { after: span(l.after_s), to: t(`calling.say.to.${recipientsOf(l.to)}`) })}</li>)}
      <li>{e.missed_after_s > 0 ? t("calling.say.missed", { after: span(e.missed_after_s) }) : t("calling.say.never")}</li>
      {e.late_max_s > 0 && <li className="text-fg-muted">{t("calling.say.late", { after: span(e.late_max_s) })}</li>}
    </ul>
  );
}
