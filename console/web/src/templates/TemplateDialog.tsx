import { Button, Dialog, DialogActions, ManyChoice, SelectField, TextField, useStatus, useToast, useVersion, useWork } from "@obedio/web";
import { Trash2 } from "lucide-react";
import { useState, type FormEvent } from "react";
import type { Policy, Template } from "../api/resources";
import { useCanWrite, useConsole, usePermits, useT } from "../context";
import { useServerList } from "../lists";
import { siteTexts } from "../messages/site";
import { templates as texts } from "../messages/templates";

const million = 1_000_000;
const policyKey = (p: Policy) => p.policy_id;

export interface TemplateDialogProps {
  edited: Template | "new" | undefined;
  onClose: () => void;
  onSaved: (v: Template) => void;
  onRemoved: (id: string) => void;
}

/** What a new site begins with. */
export function TemplateDialog({ edited, onClose, onSaved, onRemoved }: TemplateDialogProps) {
  const t = useT(texts);
  return (
    <Dialog open={edited !== undefined} onOpenChange={(open) => !open && onClose()} title={t(edited === "new" ? "tpl.template.add" : "tpl.template.change")} testId="template-form">
      {edited !== undefined && <Form held={edited === "new" ? undefined : edited} onClose={onClose} onSaved={onSaved} onRemoved={onRemoved} />}
    </Dialog>
  );
}

function Form({ held, onClose, onSaved, onRemoved }: Omit<TemplateDialogProps, "edited"> & { held: Template | undefined }) {
  const t = useT(texts);
  const s = useT(siteTexts);
  const console = useConsole();
  const toast = useToast();
  const canWrite = useCanWrite();
  const may = usePermits("templates.write");
  const work = useWork();
  const { list: policies } = useServerList<Policy>("/policies", policyKey);
  useVersion(policies);
  const read = useStatus(policies).loadedAt !== undefined;
  const [title, setTitle] = useState(held?.title ?? "");
  const [note, setNote] = useState(held?.note ?? "");
  const [tags, setTags] = useState((held?.settings.tags ?? []).join(", "));
  const [zone, setZone] = useState(held?.settings.zone ?? "");
  const [link, setLink] = useState<string>(held?.settings.link_profile ?? "");
  const [bytes, setBytes] = useState(held?.settings.bytes_per_day ? String(held.settings.bytes_per_day / million) : "");
  const [away, setAway] = useState(held?.settings.away_minutes ? String(held.settings.away_minutes / 60) : "");
  const [chosen, setChosen] = useState<readonly string[]>(held?.policies ?? []);
  const [sure, setSure] = useState(false);
  const at = held && `/templates/${encodeURIComponent(held.template_id)}`;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    if (title.trim() === "" || work.busy) return;
    const body = {
      title: title.trim(),
      ...(note.trim() ? { note: note.trim() } : {}),
      settings: {
        tags: tags.split(",").map((v) => v.trim()).filter(Boolean),
        ...(zone.trim() ? { zone: zone.trim() } : {}),
        ...(link ? { link_profile: link } : {}),
        ...(Number(bytes) > 0 ? { bytes_per_day: Math.round(Number(bytes) * million) } : {}),
        ...(Number(away) > 0 ? { away_minutes: Math.round(Number(away) * 60) } : {}),
      },
      policies: chosen,
    };
    const done = await work.run(async () => onSaved(at ? await console.api.put<Template>(at, body, { ifMatch: held.etag }) : await console.api.post<Template>("/templates", body)));
    if (!done) return;
    toast({ tone: "ok", title: t("tpl.saved") });
    onClose();
  };
  const remove = async () => {
    if (!held || !at || !(await work.run(() => console.api.delete(at, { ifMatch: held.etag })))) return;
    onRemoved(held.template_id);
    toast({ tone: "ok", title: t("tpl.removed") });
    onClose();
  };
  if (sure && held) {
    return (
      <>
        <p className="text-sm">{t("tpl.remove.sure", { name: held.title })} {t("tpl.remove.template")}</p>
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        <DialogActions>
          <Button onClick={() => setSure(false)}>{t("dialog.cancel")}</Button>
          <Button kind="danger" icon={Trash2} busy={work.busy} onClick={() => void remove()}>{t("tpl.remove")}</Button>
        </DialogActions>
      </>
    );
  }
  return (
    <form noValidate onSubmit={(e) => void submit(e)}>
      <fieldset disabled={!may || !canWrite} className="flex flex-col gap-4">
        <TextField label={t("tpl.name")} value={title} maxLength={80} onChange={(e) => setTitle(e.target.value)} />
        <TextField label={t("tpl.note")} value={note} maxLength={1024} onChange={(e) => setNote(e.target.value)} />
        <TextField label={s("config.tags")} hint={s("add.tagsHint")} value={tags} autoCapitalize="none" onChange={(e) => setTags(e.target.value)} />
        <TextField label={s("config.zone")} value={zone} autoCapitalize="none" spellCheck={false} onChange={(e) => setZone(e.target.value)} />
        <SelectField
          label={s("config.link")}
          value={link}
          options={[{ value: "", label: s("config.link.none") }, ...(["default", "economy", "crisis"] as const).map((value) => ({ value, label: s(`config.link.${value}`) }))]}
          onChange={(e) => setLink(e.target.value)}
        />
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField label={s("config.bytes")} hint={s("config.bytesHint")} value={bytes} inputMode="decimal" onChange={(e) => setBytes(e.target.value)} />
          <TextField label={s("config.away")} hint={s("config.awayHint")} value={away} inputMode="decimal" onChange={(e) => setAway(e.target.value)} />
        </div>
        {read && policies.size > 0 && (
          <ManyChoice legend={t("tpl.template.policies")} value={chosen} options={[...policies.values()].map((p) => ({ value: p.policy_id, label: p.title }))} onChange={setChosen} />
        )}
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        {may && (
          <DialogActions>
            {held && <Button icon={Trash2} onClick={() => setSure(true)}>{t("tpl.remove")}</Button>}
            <Button kind="primary" type="submit" busy={work.busy} disabled={title.trim() === ""}>{t(held ? "tpl.save" : "tpl.create")}</Button>
          </DialogActions>
        )}
      </fieldset>
    </form>
  );
}
