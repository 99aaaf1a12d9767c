import { SelectField, TextField } from "@obedio/web";
import type { Service, Team } from "../api/resources";
import { useT } from "../context";
import { calling } from "../messages/calling";
import { useEditor } from "../security/useEditor";
import { namePattern, priorities, priorityOf, serviceBody, serviceDraft, type ServiceDraft } from "./calls";
import { DocumentDialog } from "./DocumentDialog";

const blank: ServiceDraft = { kind: "", label: "", team: "", priority: "normal" };

/** Something that guests can call for, and who gives it. */
export function ServiceDialog({ kind, teams, onClose, onSaved }: { kind: string | undefined; teams: readonly Team[]; onClose: () => void; onSaved: () => void }) {
  const t = useT(calling);
  const editor = useEditor<Service, ServiceDraft>({ path: "/services", id: kind, draftOf: serviceDraft, bodyOf: serviceBody, newBodyOf: (d) => ({ kind: d.kind, ...serviceBody(d) }), blank });
  const { draft } = editor;
  const wrong = draft === undefined ? undefined : !namePattern.test(draft.kind) ? t("calling.name.wrong") : draft.label.trim() === "" ? t("calling.services.label.wrong") : undefined;
  return (
    <DocumentDialog
      editor={editor}
      title={kind === undefined ? t("calling.services.add") : t("calling.change.of", { name: draft?.label || kind })}
      wrong={wrong}
      removal={kind === undefined ? undefined : { restores: false, detail: t("calling.remove.detail", { name: draft?.label || kind }) }}
      theirs={(v) => [v.label, v.team, v.priority].filter(Boolean).join(", ")}
      onClose={onClose}
      onSaved={onSaved}
    >
      {(d) => (
        <>
          <TextField label={t("calling.services.label")} value={d.label} maxLength={128} onChange={(e) => editor.set({ ...d, label: e.target.value })} />
          {kind === undefined && <TextField label={t("calling.services.kind")} hint={t("calling.services.kind.hint")} value={d.kind} maxLength={64} autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(e) => editor.set({ ...d, kind: e.target.value.trim() })} />}
          <div className="grid gap-4 sm:grid-cols-2">
            <SelectField label={t("calling.services.team")} value={d.team} onChange={(e) => editor.set({ ...d, team: e.target.value })} options={[{ value: "", label: t("calling.services.everybody") }, ...teams.map((x) => ({ value: x.team_id, label: x.name }))]} />
            <SelectField label={t("calling.services.priority")} value={d.priority} onChange={(e) => editor.set({ ...d, priority: priorityOf(e.target.value) })} options={priorities.map((p) => ({ value: p, label: t(`calling.priority.${p}`) }))} />
          </div>
        </>
      )}
    </DocumentDialog>
  );
}
