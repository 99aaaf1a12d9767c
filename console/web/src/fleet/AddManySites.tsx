import { ApiError, Button, Mark, Section, SelectField, saveFile, useErrorText } from "@obedio/web";
import { CircleCheck, CircleX, Download, FileUp, Hourglass } from "lucide-react";
import { useState, type ChangeEvent } from "react";
import type { Claim, Template } from "../api/resources";
import { useCanWrite, useConsole, usePermits, useT } from "../context";
import { many as texts } from "../messages/many";
import { parseSites, type SiteRow } from "./csv";

const columns = "site_id,name,tags,zone,link_profile";

interface Line extends SiteRow {
  state: "waiting" | "added" | "failed";
  why?: string;
  claim?: Claim;
}

/** Many sites from a file, each with its claim: for a fleet that is taken over at once. */
export function AddManySites({ templates }: { templates: readonly Template[] }) {
  const t = useT(texts);
  const console = useConsole();
  const errorText = useErrorText();
  const canWrite = useCanWrite();
  const mayClaim = usePermits("provision.write");
  const [template, setTemplate] = useState("");
  const [lines, setLines] = useState<readonly Line[]>([]);
  const [faults, setFaults] = useState<readonly string[]>([]);
  const [busy, setBusy] = useState(false);
  const choose = async (e: ChangeEvent<HTMLInputElement>) => {
    const file = e.target.files?.[0];
    e.target.value = "";
    if (!file) return;
    const { rows, wrong } = parseSites(await file.text());
    setFaults(wrong.map(({ line, what }) => t(`many.wrong.${what}`, { line })));
    setLines(rows.map((row) => ({ ...row, state: "waiting" })));
  };
  const add = async () => {
    setBusy(true);
    const now = [...lines];
    for (const [i, line] of now.entries()) {
      if (line.state === "added") continue;
      try {
        const { site_id, name, ...settings } = line.site;
        // One that an interrupted try has added needs its claim only.
        await console.addSite(site_id, name, { ...settings, ...(template ? { template } : {}) }).catch((error: unknown) => {
          if (!(error instanceof ApiError) || error.status !== 409) throw error;
          if (!mayClaim) throw error;
        });
        now[i] = { ...line, state: "added", ...(mayClaim ? { claim: await console.claim(site_id) } : {}) };
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        now[i] = { ...line, state: "failed", why: errorText(error) };
      }
      setLines([...now]);
    }
    setBusy(false);
  };
  const claims = lines.flatMap((l) => (l.claim ? [l.claim] : []));
  const open = lines.filter((l) => l.state !== "added").length;
  return (
    <Section title={t("add.many")} note={t("many.lead")} testId="many-sites">
      <div className="flex flex-col gap-4 p-4">
        <p className="text-xs text-fg-muted">{t("many.columns")}<code className="mt-1 block font-mono break-all">{columns}</code></p>
        {templates.length > 0 && (
          <SelectField label={t("add.template")} value={template} options={[{ value: "", label: t("add.template.none") }, ...templates.map((v) => ({ value: v.template_id, label: v.title }))]} onChange={(e) => setTemplate(e.target.value)} />
        )}
        <label className="inline-flex min-h-control cursor-pointer items-center justify-center gap-2 self-start rounded-control border border-edge px-4 text-sm font-medium hover:bg-ink-800 has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent-fg">
          <FileUp aria-hidden className="size-4.5" />
          {t("many.choose")}
          <input type="file" accept=".csv,text/csv" className="sr-only" disabled={busy} onChange={(e) => void choose(e)} />
        </label>
        {faults.length > 0 && <ul role="status" className="text-sm text-bad">{faults.slice(0, 10).map((f) => <li key={f}>{f}</li>)}</ul>}
        {lines.length > 0 && (
          <ul className="max-h-80 divide-y divide-line/60 overflow-y-auto rounded-control border border-line text-sm">
            {lines.map((l) => (
              <li key={l.site.site_id} className="flex flex-wrap items-center gap-x-3 px-3 py-1.5">
                <span className="min-w-0 flex-1 truncate">{l.site.name}<span className="ml-2 text-fg-dim">{l.site.site_id}</span></span>
                <Mark tone={l.state === "added" ? "ok" : l.state === "failed" ? "bad" : "idle"} icon={l.state === "added" ? CircleCheck : l.state === "failed" ? CircleX : Hourglass}>{t(`many.state.${l.state}`)}</Mark>
                {l.why && <span className="basis-full text-xs break-words text-bad">{l.why}</span>}
              </li>
            ))}
          </ul>
        )}
        {claims.length > 0 && <p className="text-xs text-fg-dim">{t("claim.detail")}</p>}
        <div className="flex flex-wrap justify-end gap-3">
          {claims.length > 0 && <Button icon={Download} onClick={() => saveFile("claims.json", "application/json", JSON.stringify(claims, undefined, 2))}>{t("many.claims")}</Button>}
          {lines.length > 0 && open > 0 && <Button kind="primary" busy={busy} disabled={!canWrite} onClick={() => void add()}>{t("many.add", { n: open })}</Button>}
        </div>
      </div>
    </Section>
  );
}
