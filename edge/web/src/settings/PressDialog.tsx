import { SelectField, TextField } from "@obedio/web";
import type { PressProfile, Service } from "../api/resources";
import { useT } from "../context";
import { calling } from "../messages/calling";
import { NumberField } from "../security/NumberField";
import { useEditor } from "../security/useEditor";
import { namePattern, pressBody, pressDraft, presses, priorities, priorityOf, type PressDraft } from "./calls";
import { DocumentDialog } from "./DocumentDialog";

/** What a way of pressing is that means nothing. */
const nothing = "";
const blank: PressDraft = { name: "", types: { single: { priority: "normal" } }, burst_presses: 5, burst_priority: "urgent" };

/** What presses of some buttons mean. */
export function PressDialog({ name, services, builtIn, onClose, onSaved }: { name: string | undefined; services: readonly Service[]; builtIn: boolean; onClose: () => void; onSaved: () => void }) {
  const t = useT(calling);
  const editor = useEditor<PressProfile, PressDraft>({ path: "/press-profiles", id: name, draftOf: pressDraft, bodyOf: pressBody, newBodyOf: (d) => ({ name: d.name, ...pressBody(d) }), blank });
  const restores = name === "default";
  return (
    <DocumentDialog
      editor={editor}
      title={name === undefined ? t("calling.profile.add") : t("calling.change.of", { name })}
      wrong={editor.draft && !namePattern.test(editor.draft.name) ? t("calling.name.wrong") : undefined}
      removal={builtIn || name === undefined ? undefined : { restores, detail: t(restores ? "calling.restore.detail" : "calling.remove.detail", { name }) }}
      theirs={(v) => <Said profile={v} />}
      onClose={onClose}
      onSaved={onSaved}
    >
      {(d) => {
        const set = (press: string, meaning: PressDraft["types"][string] | undefined) => {
          const { [press]: _, ...others } = d.types;
          editor.set({ ...d, types: meaning === undefined ? others : { ...others, [press]: meaning } });
        };
        return (
          <>
            {name === undefined && <TextField label={t("calling.profile.name")} value={d.name} maxLength={64} autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(e) => editor.set({ ...d, name: e.target.value.trim() })} />}
            {presses.map((press) => {
              const meaning = d.types[press];
              return (
                <fieldset key={press} className="grid gap-3 sm:grid-cols-2">
                  <legend className="mb-1.5 text-sm font-semibold">{t(`calling.press.${press}`)}</legend>
                  <SelectField
                    label={t("calling.priority")}
                    value={meaning ? priorityOf(meaning.priority) : nothing}
                    onChange={(e) => set(press, e.target.value === nothing ? undefined : { ...meaning, priority: e.target.value })}
                    options={[{ value: nothing, label: t("calling.press.none") }, ...priorities.map((p) => ({ value: p, label: t(`calling.priority.${p}`) }))]}
                  />
                  {meaning && services.length > 0 && (
                    <SelectField
                      label={t("calling.service")}
                      value={meaning.service ?? ""}
                      onChange={(e) => set(press, { priority: meaning.priority, ...(e.target.value ? { service: e.target.value } : {}) })}
                      options={[{ value: "", label: t("calling.service.plain") }, ...services.map((s) => ({ value: s.kind, label: s.label }))]}
                    />
                  )}
                </fieldset>
              );
            })}
            <div className="grid items-end gap-3 sm:grid-cols-2">
              <NumberField label={t("calling.burst")} hint={t("calling.burst.hint")} min={0} value={d.burst_presses} onChange={(n) => editor.set({ ...d, burst_presses: n ?? 0 })} />
              {d.burst_presses > 0 && <SelectField label={t("calling.burst.to")} value={d.burst_priority} onChange={(e) => editor.set({ ...d, burst_priority: priorityOf(e.target.value) })} options={priorities.map((p) => ({ value: p, label: t(`calling.priority.${p}`) }))} />}
            </div>
          </>
        );
      }}
    </DocumentDialog>
  );
}

function Said({ profile }: { profile: PressProfile }) {
  const t = useT(calling);
  return (
    <ul>
      {presses.map((p) => {
        const meaning = profile.types[p];
        return <li key={p}>{t(`calling.press.${p}`)}: {meaning ? t(`calling.priority.${priorityOf(meaning.priority)}`) : t("calling.press.none")} {meaning?.service}</li>;
      })}
    </ul>
  );
}
