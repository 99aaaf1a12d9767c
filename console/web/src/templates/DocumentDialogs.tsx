import { Button, Dialog, DialogActions, Notice, SelectField, Skeletons, TextAreaField, TextField, useDerived, useFormats, type Collection } from "@obedio/web";
import { FileX } from "lucide-react";
import { useState, type FormEvent } from "react";
import type { PolicyDocument, Site, SitePolicy } from "../api/resources";
import { useConsole, useT } from "../context";
import { useReading } from "../lists";
import { templates as texts } from "../messages/templates";
import { nameOf, pretty } from "./diff";
import { useKindWord } from "./parts";

const kinds = ["profile", "acl", "service", "press_profile", "escalation"] as const;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export interface DocumentDialogProps {
  open: boolean;
  held: PolicyDocument | undefined;
  /** kind/name of those that are there. */
  taken: readonly string[];
  onDone: (d: PolicyDocument) => void;
  onClose: () => void;
}

/** One document of a policy. */
export function DocumentDialog({ open, held, taken, onDone, onClose }: DocumentDialogProps) {
  const t = useT(texts);
  return (
    <Dialog open={open} onOpenChange={(now) => !now && onClose()} title={held ? t("tpl.docs.edit", { name: nameOf(held) }) : t("tpl.docs.add")} testId="document-form">
      {open && <DocumentForm held={held} taken={taken} onDone={onDone} />}
    </Dialog>
  );
}

function DocumentForm({ held, taken, onDone }: Pick<DocumentDialogProps, "held" | "taken" | "onDone">) {
  const t = useT(texts);
  const word = useKindWord();
  const [kind, setKind] = useState<string>(held?.kind ?? "profile");
  const [name, setName] = useState(held?.name ?? "");
  const [body, setBody] = useState(held ? pretty(held.body) : "{\n  \n}");
  const [tried, setTried] = useState(false);
  const parsed = parse(body);
  const twice = !held && taken.includes(`${kind}/${name}`);
  const nameWrong = !namePattern.test(name);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    // The page has a form around this one.
    e.stopPropagation();
    setTried(true);
    if (nameWrong || twice || parsed === wrong) return;
    onDone({ kind, name, body: parsed });
  };
  return (
    <form noValidate onSubmit={submit} className="flex flex-col gap-4">
      {!held && (
        <>
          <SelectField label={t("tpl.docs.kind")} value={kind} options={kinds.map((value) => ({ value, label: word(value) }))} onChange={(e) => setKind(e.target.value)} />
          <TextField label={t("tpl.docs.name")} error={tried && nameWrong ? t("tpl.docs.nameWrong") : tried && twice ? t("tpl.docs.twice") : undefined} value={name} autoCapitalize="none" spellCheck={false} onChange={(e) => setName(e.target.value.trim())} />
        </>
      )}
      <TextAreaField label={t("tpl.docs.body")} error={tried && parsed === wrong ? t("tpl.docs.wrong") : undefined} rows={16} value={body} spellCheck={false} autoCapitalize="none" onChange={(e) => setBody(e.target.value)} />
      <DialogActions><Button kind="primary" type="submit">{t("tpl.docs.done")}</Button></DialogActions>
    </form>
  );
}

const wrong = Symbol("wrong");

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return wrong;
  }
}

const known = (sites: Collection<Site>) => [...sites.values()].filter((s) => s.data_as_of !== undefined).sort((a, b) => a.name.localeCompare(b.name));

/** A document as it is on board of a site. */
export function FromSiteDialog({ open, onDone, onClose }: { open: boolean; onDone: (d: PolicyDocument) => void; onClose: () => void }) {
  const t = useT(texts);
  return (
    <Dialog open={open} onOpenChange={(now) => !now && onClose()} title={t("tpl.docs.from")} testId="from-site">
      {open && <FromSite onDone={onDone} />}
    </Dialog>
  );
}

function FromSite({ onDone }: { onDone: (d: PolicyDocument) => void }) {
  const t = useT(texts);
  const { collator } = useFormats();
  const sites = useDerived(useConsole().sites, known);
  const [chosen, setChosen] = useState("");
  const site = chosen || (sites[0]?.site_id ?? "");
  return (
    <div className="flex flex-col gap-4">
      <SelectField label={t("tpl.docs.site")} value={site} options={[...sites].sort((a, b) => collator.compare(a.name, b.name)).map((s) => ({ value: s.site_id, label: s.name }))} onChange={(e) => setChosen(e.target.value)} />
      {site && <OnBoard key={site} siteId={site} onDone={onDone} />}
    </div>
  );
}

function OnBoard({ siteId, onDone }: { siteId: string; onDone: (d: PolicyDocument) => void }) {
  const t = useT(texts);
  const word = useKindWord();
  const { data, state } = useReading<SitePolicy>(`/sites/${encodeURIComponent(siteId)}/policy`);
  if (!data) return state.kind === "loading" ? <Skeletons count={3} itemClass="h-9" className="flex flex-col gap-2" /> : <Notice testId="from-none" icon={FileX} title={t("tpl.docs.siteNone")} />;
  const all = data.documents.filter((d) => d.board !== undefined && (kinds as readonly string[]).includes(d.kind));
  if (all.length === 0) return <Notice testId="from-none" icon={FileX} title={t("tpl.docs.siteNone")} />;
  return (
    <ul className="-mx-2 flex flex-col">
      {all.map((d) => (
        <li key={d.document}>
          <button type="button" onClick={() => onDone({ kind: d.kind, name: d.name, body: d.board })} className="min-h-control w-full rounded-control px-2 py-1.5 text-left hover:bg-ink-800">
            <span className="block text-sm font-medium">{d.name}</span>
            <span className="block text-xs text-fg-muted">{word(d.kind)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
