import {
  Button, Choice, DataView, DialogActions, Facts, LinkStateBadge, Section, TextAreaField, TextField, newIdempotencyKey, parseTerms, spanOf, suggestedCommands, useFormats, useWork,
} from "@obedio/web";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { ChevronLeft, ListChecks, Send } from "lucide-react";
import { useRef, useState, type FormEvent } from "react";
import type { Job, JobPreview } from "../api/resources";
import { useCanWrite, useConsole, usePermits, useT } from "../context";
import { chosenDevices } from "../devices/chosen";
import { jobs as texts } from "../messages/jobs";
import { Page } from "../shell/Page";

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const timePattern = /^([01][0-9]|2[0-3]):[0-5][0-9]$/;
const ttls = [3_600_000, 24 * 3_600_000, 7 * 24 * 3_600_000, 30 * 24 * 3_600_000];

/** A command for many devices: choose, count, review, send. */
export function NewJobPage() {
  const t = useT(texts);
  const may = usePermits("commands.send");
  return (
    <Page title={t("newJob.title")} name={t("newJob.title")}>
      <div className="mx-auto max-w-2xl">
        <Link to="/jobs" className="-mt-2 mb-2 inline-flex min-h-control items-center gap-1 rounded-md pr-2 text-sm text-fg-muted hover:text-fg">
          <ChevronLeft aria-hidden className="size-5" />
          {t("newJob.back")}
        </Link>
        <DataView state={may ? { kind: "live" } : { kind: "unavailable", why: "forbidden", needs: t("newJob.forbidden") }} empty={{ title: t("newJob.title") }} skeleton={null}>
          <Form />
        </DataView>
      </div>
    </Page>
  );
}

interface Draft {
  site_filter?: string;
  filter?: string;
  targets?: readonly { site_id: string; device_id: string }[];
  name: string;
  args?: Record<string, unknown>;
  ttl_ms: number;
  not_before?: string;
  window?: { from: string; to: string };
}

function Form() {
  const t = useT(texts);
  const console = useConsole();
  const navigate = useNavigate();
  const canWrite = useCanWrite();
  const { number } = useFormats();
  const search = useSearch({ from: "/jobs/new" });
  const [named] = useState(() => (search.chosen ? chosenDevices.get() : []));
  const [sites, setSites] = useState(search.sites ?? "");
  const [devices, setDevices] = useState(search.devices ?? "");
  const [name, setName] = useState("");
  const [args, setArgs] = useState("");
  const [ttl, setTtl] = useState(24 * 3_600_000);
  const [notBefore, setNotBefore] = useState("");
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const [tried, setTried] = useState(false);
  const [counted, setCounted] = useState<{ draft: Draft; preview: JobPreview }>();
  const counting = useWork();
  const sending = useWork();
  const sent = useRef<{ draft: string; key: string }>(undefined);
  const parsed = parseArgs(args);
  const windowWrong = (from !== "" || to !== "") && (!timePattern.test(from) || !timePattern.test(to) || from === to);
  const type = parseTerms(devices).find((term) => term.field === "type")?.values[0]?.[0] ?? "";
  const wrong = !namePattern.test(name) || parsed === "wrong" || windowWrong;
  const draftOf = (): Draft => ({
    ...(named.length > 0 ? { targets: named } : { site_filter: sites.trim(), filter: devices.trim() }),
    name, ttl_ms: ttl,
    ...(parsed && parsed !== "wrong" ? { args: parsed } : {}),
    ...(notBefore ? { not_before: new Date(notBefore).toISOString() } : {}),
    ...(from ? { window: { from, to } } : {}),
  });
  const count = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (wrong || counting.busy) return;
    const draft = draftOf();
    const { site_filter, filter, targets } = draft;
    await counting.run(async () => {
      const preview = await console.api.post<JobPreview>("/jobs/preview", targets ? { targets } : { site_filter, filter });
      setCounted({ draft, preview });
    });
  };
  const send = async () => {
    if (!counted || sending.busy) return;
    const text = JSON.stringify(counted.draft);
    if (sent.current?.draft !== text) sent.current = { draft: text, key: newIdempotencyKey() };
    const { key } = sent.current;
    await sending.run(async () => {
      const job = await console.api.post<Job>("/jobs", counted.draft, { idempotencyKey: key, timeout: 60_000 });
      await navigate({ to: "/jobs/$jobId", params: { jobId: job.job_id } });
    });
  };
  if (counted) {
    const { draft, preview: p } = counted;
    const away = Object.entries(p.link_states).reduce((n, [s, c]) => (s === "online" ? n : n + (c ?? 0)), 0);
    const tooMany = p.more || p.targets > p.limit;
    return (
      <Section title={t("newJob.review")} testId="job-review">
        <div className="flex flex-col gap-4 p-4">
          <p className="text-base font-medium">{p.targets === 0 ? t("newJob.none") : t("newJob.sure", { name: draft.name, devices: p.targets, shown: number(p.targets) })}</p>
          <Facts
            className="px-0! py-0!"
            items={[
              { label: t("newJob.targets"), value: p.more ? t("newJob.more") : t("newJob.found", { devices: p.targets, shownDevices: number(p.targets), sites: p.sites, shownSites: number(p.sites) }) },
              { label: t("newJob.links"), value: <span className="flex flex-wrap gap-x-3 gap-y-1">{Object.entries(p.link_states).map(([s, n]) => <span key={s} className="inline-flex items-center gap-1.5"><span className="tabular-nums">{number(n ?? 0)}</span><LinkStateBadge bare state={s} /></span>)}</span> },
              { label: t("newJob.ttl"), value: t("job.span", { span: spanOf(draft.ttl_ms) }) },
              ...(draft.window ? [{ label: t("job.window"), value: t("job.window.value", draft.window) }] : []),
              ...(draft.args ? [{ label: t("job.args"), value: <code className="font-mono text-xs break-all">{JSON.stringify(draft.args)}</code> }] : []),
            ]}
          />
          {away > 0 && <p className="text-sm text-fg-muted">{t("newJob.away", { n: away, shown: number(away) })}</p>}
          {tooMany && <p role="status" className="text-sm text-bad">{t("newJob.tooMany", { limit: number(p.limit) })}</p>}
          {sending.failure && <p role="status" className="text-sm text-bad">{sending.failure}</p>}
          <DialogActions>
            <Button onClick={() => setCounted(undefined)}>{t("newJob.change")}</Button>
            <Button kind="primary" icon={Send} busy={sending.busy} disabled={!canWrite || p.targets === 0 || tooMany} autoFocus onClick={() => void send()}>
              {sending.busy ? t("newJob.sending") : t("newJob.send", { devices: p.targets, shown: number(p.targets) })}
            </Button>
          </DialogActions>
        </div>
      </Section>
    );
  }
  return (
    <form noValidate onSubmit={(e) => void count(e)} className="flex flex-col gap-5" data-testid="new-job">
      <Section title={t("newJob.targets")}>
        <div className="flex flex-col gap-4 p-4">
          {named.length > 0 ? <p className="text-sm">{t("newJob.chosen", { n: named.length, shown: number(named.length) })}</p> : (
            <>
              <TextField label={t("newJob.sites")} hint={t("newJob.sitesHint")} value={sites} maxLength={500} autoCapitalize="none" spellCheck={false} className="font-mono text-xs" onChange={(e) => setSites(e.target.value)} />
              <TextField label={t("newJob.devices")} hint={t("newJob.devicesHint")} value={devices} maxLength={500} autoCapitalize="none" spellCheck={false} className="font-mono text-xs" onChange={(e) => setDevices(e.target.value)} />
            </>
          )}
        </div>
      </Section>
      <Section title={t("newJob.what")}>
        <div className="flex flex-col gap-4 p-4">
          <div>
            <TextField label={t("newJob.name")} hint={t("newJob.nameHint")} error={tried && !namePattern.test(name) ? t("newJob.nameWrong") : undefined} value={name} autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(e) => setName(e.target.value.trim())} />
            <div className="mt-2 flex flex-wrap gap-2">
              {suggestedCommands(type).map((s) => <Button key={s} kind={s === name ? "primary" : "secondary"} className="font-mono text-xs!" onClick={() => setName(s)}>{s}</Button>)}
            </div>
          </div>
          <TextAreaField label={t("newJob.args")} error={tried && parsed === "wrong" ? t("newJob.argsWrong") : undefined} rows={2} value={args} placeholder="{}" spellCheck={false} onChange={(e) => setArgs(e.target.value)} />
        </div>
      </Section>
      <Section title={t("newJob.when")}>
        <div className="flex flex-col gap-4 p-4">
          <div>
            <Choice legend={t("newJob.ttl")} value={String(ttl)} options={ttls.map((ms) => ({ value: String(ms), label: t("job.span", { span: spanOf(ms) }) }))} onChange={(v) => setTtl(Number(v))} />
            <p className="mt-1.5 text-xs text-fg-dim">{t("newJob.ttlHint")}</p>
          </div>
          <TextField label={t("newJob.notBefore")} hint={t("newJob.notBeforeHint")} type="datetime-local" value={notBefore} onChange={(e) => setNotBefore(e.target.value)} className="max-w-64" />
          <fieldset className="flex flex-col gap-1.5">
            <legend className="mb-1.5 text-sm font-medium">{t("newJob.window")}</legend>
            <div className="flex flex-wrap gap-4">
              <TextField label={t("newJob.from")} type="time" value={from} onChange={(e) => setFrom(e.target.value)} />
              <TextField label={t("newJob.to")} type="time" value={to} onChange={(e) => setTo(e.target.value)} />
            </div>
            <p className={tried && windowWrong ? "text-xs text-bad" : "text-xs text-fg-dim"}>{t(tried && windowWrong ? "newJob.windowWrong" : "newJob.windowHint")}</p>
          </fieldset>
        </div>
      </Section>
      {counting.failure && <p role="status" className="text-sm text-bad">{counting.failure}</p>}
      <div className="flex justify-end">
        <Button kind="primary" type="submit" icon={ListChecks} busy={counting.busy} disabled={!canWrite}>{counting.busy ? t("newJob.counting") : t("newJob.review")}</Button>
      </div>
    </form>
  );
}

function parseArgs(text: string): Record<string, unknown> | "wrong" | undefined {
  if (text.trim() === "") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below, beside the field.
  }
  return "wrong";
}
