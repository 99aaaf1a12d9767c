import { ApiError, Button, DataView, LinkStateBadge, Section, SelectField, TextField, useErrorText, useItem, useVersion } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { CircleCheck, Hourglass, Plus } from "lucide-react";
import { useState, type FormEvent } from "react";
import type { Site, Template } from "../api/resources";
import { useCanWrite, useConsole, usePermits, useT } from "../context";
import { useServerList } from "../lists";
import { Page } from "../shell/Page";
import { AddManySites } from "./AddManySites";
import { ClaimFile } from "./ClaimFile";
import { WaitingSites } from "./WaitingSites";

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Name a site, take its claim file, and wait for its hub. */
export function AddSitePage() {
  const t = useT();
  const mayAdd = usePermits("sites.write");
  const [added, setAdded] = useState<Site>();
  const { list } = useServerList<Template>("/templates", templateKey);
  useVersion(list);
  const templates = [...list.values()].sort((a, b) => a.title.localeCompare(b.title));
  return (
    <Page title={t("add.title")} name={t("add.title")}>
      <div className="mx-auto max-w-2xl">
        <DataView
          state={mayAdd ? { kind: "live" } : { kind: "unavailable", why: "forbidden", needs: t("add.forbidden") }}
          empty={{ title: t("add.title") }}
          skeleton={null}
        >
          {added ? <Waiting site={added} onAnother={() => setAdded(undefined)} /> : (
            <div className="flex flex-col gap-5">
              <AddForm onAdded={setAdded} templates={templates} />
              <AddManySites templates={templates} />
              <WaitingSites />
            </div>
          )}
        </DataView>
      </div>
    </Page>
  );
}

const templateKey = (v: Template) => v.template_id;

function AddForm({ onAdded, templates }: { onAdded: (site: Site) => void; templates: readonly Template[] }) {
  const t = useT();
  const console = useConsole();
  const errorText = useErrorText();
  const canWrite = useCanWrite();
  const [name, setName] = useState("");
  const [id, setId] = useState("");
  const [template, setTemplate] = useState("");
  const [tags, setTags] = useState("");
  const [zone, setZone] = useState("");
  const [link, setLink] = useState("");
  const [bytes, setBytes] = useState("");
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (busy || name.trim() === "" || !idPattern.test(id)) return;
    setBusy(true);
    setFailure(undefined);
    try {
      const named = tags.split(",").map((v) => v.trim()).filter(Boolean);
      onAdded(await console.addSite(id, name.trim(), {
        ...(template ? { template } : {}), ...(named.length > 0 ? { tags: named } : {}), ...(zone.trim() ? { zone: zone.trim() } : {}),
        ...(link ? { link_profile: link as "default" } : {}), ...(Number(bytes) > 0 ? { bytes_per_day: Math.round(Number(bytes) * 1_000_000) } : {}),
      }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setFailure(errorText(error));
      setBusy(false);
    }
  };
  return (
    <Section title={t("add.title")} note={t("add.lead")}>
      <form noValidate onSubmit={(e) => void submit(e)} className="flex flex-col gap-4 p-4" data-testid="add-site">
        <TextField label={t("add.name")} hint={t("add.nameHint")} error={tried && name.trim() === "" ? t("add.nameMissing") : undefined} value={name} maxLength={128} autoFocus onChange={(e) => setName(e.target.value)} />
        <TextField label={t("add.id")} hint={t("add.idHint")} error={tried && !idPattern.test(id) ? t("add.idWrong") : undefined} value={id} autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(e) => setId(e.target.value.trim())} />
        {templates.length > 0 && (
          <SelectField label={t("add.template")} hint={t("add.template.hint")} value={template} options={[{ value: "", label: t("add.template.none") }, ...templates.map((v) => ({ value: v.template_id, label: v.title }))]} onChange={(e) => setTemplate(e.target.value)} />
        )}
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField label={t("add.tags")} hint={t("add.tagsHint")} value={tags} autoCapitalize="none" onChange={(e) => setTags(e.target.value)} />
          <TextField label={t("add.zone")} hint={t("add.zoneHint")} value={zone} autoCapitalize="none" spellCheck={false} onChange={(e) => setZone(e.target.value)} />
          <SelectField label={t("add.link")} value={link} options={(["", "default", "economy", "crisis"] as const).map((value) => ({ value, label: t(value === "" ? "add.link.none" : `add.link.${value}`) }))} onChange={(e) => setLink(e.target.value)} />
          <TextField label={t("add.bytes")} hint={t("add.bytesHint")} value={bytes} inputMode="decimal" onChange={(e) => setBytes(e.target.value)} />
        </div>
        {failure && <p role="status" className="text-sm text-bad">{failure}</p>}
        <div className="flex justify-end">
          <Button kind="primary" type="submit" icon={Plus} busy={busy} disabled={!canWrite}>{busy ? t("add.doing") : t("add.do")}</Button>
        </div>
      </form>
    </Section>
  );
}

function Waiting({ site: added, onAnother }: { site: Site; onAnother: () => void }) {
  const t = useT();
  const site = useItem(useConsole().sites, added.site_id) ?? added;
  const connected = site.link_state !== "never_connected";
  const Icon = connected ? CircleCheck : Hourglass;
  return (
    <div className="flex flex-col gap-5">
      <Section title={t("claim.title")} note={t("add.added", { name: site.name })}>
        <ClaimFile siteId={site.site_id} />
      </Section>
      <div role="status" data-testid="waiting-for-hub" className="flex flex-wrap items-center gap-3 rounded-card border border-line bg-ink-850 px-4 py-3">
        <Icon aria-hidden className={connected ? "size-5 text-ok" : "size-5 text-fg-dim"} />
        <span className="flex-1 text-sm">{connected ? t("claim.connected") : t("claim.waiting")}</span>
        <LinkStateBadge state={site.link_state} />
      </div>
      <div className="flex flex-wrap justify-end gap-3">
        <Button onClick={onAnother}>{t("add.another")}</Button>
        <Link to="/sites/$siteId" params={{ siteId: site.site_id }} className="inline-flex min-h-control items-center rounded-control bg-accent px-4 text-sm font-medium text-on-accent hover:bg-accent-strong">
          {t("claim.open")}
        </Link>
      </div>
    </div>
  );
}
