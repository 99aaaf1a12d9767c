import {
  Button, Chip, DataTable, DataView, Dialog, DialogActions, Facts, JobProgress, LinkStateBadge, Mark, Notice, RelativeTime, Section, Skeletons, ended, newIdempotencyKey, retryable,
  shownStates, useFormats, useKeys, useStatus, useToast, useWork, viewStateOf, type Collection, type Column, type Sorting,
} from "@obedio/web";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { ChevronLeft, CircleX, RotateCw, SearchX } from "lucide-react";
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import type { Job, JobTarget } from "../api/resources";
import { useCanWrite, useConsole, usePermits, useReach, useT } from "../context";
import { useGrowingList, useReading } from "../lists";
import { jobs as texts } from "../messages/jobs";
import { Page } from "../shell/Page";
import { followJobs } from "./JobsPage";
import { JobStanding, targetLook, useTargetWord } from "./parts";

/** One command for many devices: how far it has come, and what became of each. */
export function JobPage() {
  const t = useT(texts);
  const { jobId } = useParams({ from: "/jobs/$jobId" });
  return (
    <Page title={t("jobs.title")} name={t("jobs.title")}>
      <Link to="/jobs" className="-mt-2 mb-2 inline-flex min-h-control items-center gap-1 rounded-md pr-2 text-sm text-fg-muted hover:text-fg">
        <ChevronLeft aria-hidden className="size-5" />
        {t("newJob.back")}
      </Link>
      <Loaded key={jobId} jobId={jobId} />
    </Page>
  );
}

function Loaded({ jobId }: { jobId: string }) {
  const t = useT(texts);
  const console = useConsole();
  const { data: job, state, again, put } = useReading<Job>(`/jobs/${encodeURIComponent(jobId)}`);
  useEffect(() => followJobs(console.watchJobs, async (id) => id === jobId && again()), [console, jobId, again]);
  if (!job && state.kind === "error" && (state.error?.status === 404 || state.error?.status === 422)) {
    return <Notice testId="job-missing" icon={SearchX} title={t("job.missing")} detail={t("job.missing.detail")} />;
  }
  return (
    <DataView state={state} quietLink onRetry={again} empty={{ title: t("job.missing") }} skeleton={<Skeletons count={2} itemClass="h-44" className="flex flex-col gap-5" />}>
      {job && <View job={job} put={put} />}
    </DataView>
  );
}

function View({ job, put }: { job: Job; put: (job: Job) => void }) {
  const t = useT(texts);
  const { number } = useFormats();
  const over = t("jobs.ended", { ended: number(ended(job.states)), all: number(job.targets) });
  return (
    <div data-testid="job" data-job-id={job.job_id} data-done={job.done} className="flex flex-col gap-5">
      <div className="flex flex-wrap items-start justify-between gap-4">
        <div className="min-w-0">
          <h2 className="flex flex-wrap items-center gap-x-3 gap-y-1 text-lg font-semibold"><code className="font-mono">{job.name}</code><JobStanding job={job} /></h2>
          <p className="mt-1 text-sm text-fg-muted">
            {t("jobs.for", { devices: job.targets, shownDevices: number(job.targets), sites: job.sites, shownSites: number(job.sites) })} · {over}
            {job.choosing > 0 && ` · ${t("job.choosing", { n: job.choosing, shown: number(job.choosing) })}`}
          </p>
        </div>
        <Actions job={job} put={put} />
      </div>
      <JobProgress title={over} counts={job.states} targets={job.targets} />
      <Results job={job} />
      <About job={job} />
    </div>
  );
}

function Actions({ job, put }: { job: Job; put: (job: Job) => void }) {
  const t = useT(texts);
  const console = useConsole();
  const toast = useToast();
  const navigate = useNavigate();
  const { number } = useFormats();
  const maySend = usePermits("commands.send");
  const mayCancel = usePermits("commands.cancel");
  const canWrite = useCanWrite();
  const retrying = useWork();
  const cancelling = useWork();
  const [asked, setAsked] = useState(false);
  // A second press after a lost answer must not make a second job.
  const key = useRef<string>(undefined);
  const again = retryable(job.states);
  const open = job.targets - ended(job.states);
  const at = `/jobs/${encodeURIComponent(job.job_id)}`;
  const retry = () => void retrying.run(async () => {
    key.current ??= newIdempotencyKey();
    const next = await console.api.post<Job>(`${at}/retry`, undefined, { idempotencyKey: key.current });
    key.current = undefined;
    toast({ tone: "ok", title: t("job.retried") });
    await navigate({ to: "/jobs/$jobId", params: { jobId: next.job_id } });
  });
  const cancel = async () => {
    if (!(await cancelling.run(async () => put(await console.api.post<Job>(`${at}/cancel`))))) return;
    setAsked(false);
    toast({ tone: "ok", title: t("job.cancelled") });
  };
  return (
    <div className="flex flex-col items-end gap-2">
      <div className="flex flex-wrap gap-3">
        {mayCancel && !job.done && !job.cancelled_at && <Button kind="danger" icon={CircleX} disabled={!canWrite} className="whitespace-normal!" onClick={() => setAsked(true)}>{t("job.cancel")}</Button>}
        {maySend && again > 0 && <Button kind="primary" icon={RotateCw} busy={retrying.busy} disabled={!canWrite} onClick={retry}>{t("job.retry", { shown: number(again) })}</Button>}
      </div>
      {retrying.failure && <p role="status" className="text-sm text-bad">{retrying.failure}</p>}
      <Dialog open={asked} onOpenChange={setAsked} title={t("job.cancel.sure")} description={t("job.cancel.detail", { n: open, shown: number(open) })} testId="cancel-job">
        {cancelling.failure && <p role="status" className="text-sm text-bad">{cancelling.failure}</p>}
        <DialogActions>
          <Button onClick={() => setAsked(false)}>{t("job.cancel.keep")}</Button>
          <Button kind="danger" icon={CircleX} busy={cancelling.busy} onClick={() => void cancel()}>{t("job.cancel.do")}</Button>
        </DialogActions>
      </Dialog>
    </div>
  );
}

const targetKey = (v: JobTarget) => `${v.site_id}/${v.device_id}`;
const bySite: Sorting = { column: "site", descending: false };
const inOrder = (c: Collection<JobTarget>) => [...c.values()].map(targetKey).sort();

function Results({ job }: { job: Job }) {
  const t = useT(texts);
  const { number } = useFormats();
  const word = useTargetWord();
  const reach = useReach();
  const search = useSearch({ from: "/jobs/$jobId" });
  const navigate = useNavigate({ from: "/jobs/$jobId" });
  const shown = search.state ?? "";
  const show = (state: string) => void navigate({ search: state ? { state } : {}, replace: true, resetScroll: false });
  const { list, reload, more } = useGrowingList<JobTarget>(`/jobs/${encodeURIComponent(job.job_id)}/targets`, targetKey, shown ? { state: shown } : undefined, 500);
  const ids = useKeys(list, inOrder);
  // The counts change when a target does; what is in sight is read again then.
  const counts = JSON.stringify(job.states);
  const first = useRef(counts);
  useEffect(() => {
    if (first.current !== counts) reload();
    first.current = counts;
  }, [counts, reload]);
  const columns = useMemo<Column<JobTarget>[]>(() => [
    { id: "site", header: t("job.col.site"), width: "minmax(9rem,1.2fr)", cell: (v) => <span className="truncate font-medium">{v.site_name}</span> },
    { id: "device", header: t("job.col.device"), width: "minmax(8rem,1fr)", cell: (v) => (
      <Link to="/sites/$siteId/devices/$deviceId" params={{ siteId: v.site_id, deviceId: v.device_id }} className="block truncate underline-offset-4 hover:underline">{v.device_id}</Link>
    ) },
    { id: "state", header: t("job.col.state"), width: "9rem", cell: (v) => <State target={v} /> },
    { id: "link", header: t("job.col.link"), width: "8rem", cell: (v) => (v.link_state ? <LinkStateBadge bare state={v.link_state} /> : null) },
    { id: "when", header: t("job.col.when"), width: "7rem", cell: (v) => <RelativeTime at={v.updated_at} focusable={false} className="text-fg-muted" /> },
    { id: "said", header: t("job.col.said"), width: "minmax(10rem,2fr)", cell: (v) => <Said target={v} /> },
  ], [t]);
  const state = viewStateOf({ status: useStatus(list), total: job.targets - job.choosing > 0 ? Math.max(ids.length, shown ? job.targets : 0) : 0, shown: ids.length, reach });
  return (
    <Section title={t("job.results")} testId="results">
      <div role="group" aria-label={t("job.filter")} className="flex gap-2 overflow-x-auto border-b border-line px-4 py-2">
        <Chip pressed={shown === ""} onPress={() => show("")} label={t("job.all")} count={number(job.targets)} />
        {shownStates(job.states).map((s) => {
          const look = targetLook(s);
          return <Chip key={s} icon={look.icon} tone={look.tone} pressed={shown === s} onPress={() => show(shown === s ? "" : s)} label={word(s)} count={number(job.states[s as keyof Job["states"]] ?? 0)} />;
        })}
      </div>
      <DataView
        state={state}
        quietLink
        onRetry={reload}
        onClearFilter={() => show("")}
        empty={{ title: t("job.results.empty") }}
        skeleton={<Skeletons count={5} itemClass="h-11" className="flex flex-col gap-2 p-4" />}
      >
        <DataTable
          label={t("job.results")}
          testId="job-results"
          ids={ids}
          columns={columns}
          items={list}
          sorting={bySite}
          onSortingChange={nothing}
          rowHeight={52}
          minWidth="60rem"
          rowAttributes={targetAttributes}
          rowLink={targetLink}
        />
        {more && <div className="flex justify-center p-4"><Button onClick={() => void more()}>{t("job.more")}</Button></div>}
      </DataView>
    </Section>
  );
}

const nothing = () => {};
const targetAttributes = (v: JobTarget) => ({ "data-site-id": v.site_id, "data-device-id": v.device_id, "data-state": v.state });
const targetLink = (v: JobTarget, children: ReactNode) => (
  <Link to="/sites/$siteId" params={{ siteId: v.site_id }} className="reveals-time flex min-h-control items-center truncate rounded-md underline-offset-4 hover:underline">{children}</Link>
);

function State({ target }: { target: JobTarget }) {
  const word = useTargetWord();
  const look = targetLook(target.state);
  return <Mark tone={look.tone} icon={look.icon}>{word(target.state)}</Mark>;
}

function Said({ target: v }: { target: JobTarget }) {
  const t = useT(texts);
  const { minute, number } = useFormats();
  const parts: string[] = [];
  if (v.due) parts.push(`${t("job.due")} ${minute(Date.parse(v.due))}`);
  if (v.cancel_since) parts.push(t("job.cancelSince"));
  if (v.error) parts.push(v.error);
  if (v.attempts > 1) parts.push(t("job.attempts", { n: number(v.attempts) }));
  const text = parts.join(" · ");
  return <span title={text} className="block truncate text-fg-muted">{text}</span>;
}

function About({ job }: { job: Job }) {
  const t = useT(texts);
  const filter = (text: string | undefined) => (text ? <code className="font-mono text-xs break-all">{text}</code> : t(job.site_filter === undefined && job.filter === undefined && job.retries ? "job.named" : "job.everything"));
  return (
    <Section title={t("job.command")}>
      <Facts
        items={[
          { label: t("job.issued"), value: <RelativeTime at={job.issued_at} /> },
          { label: t("job.issuedBy"), value: job.issued_by.name || job.issued_by.id },
          { label: t("job.expires"), value: <RelativeTime at={job.expires_at} /> },
          { label: t("job.siteFilter"), value: filter(job.site_filter) },
          { label: t("job.chosenBy"), value: filter(job.filter) },
          ...(job.args === undefined || job.args === null ? [] : [{ label: t("job.args"), value: <code className="font-mono text-xs break-all">{JSON.stringify(job.args)}</code> }]),
          ...(job.window ? [{ label: t("job.window"), value: t("job.window.value", job.window) }] : []),
          ...(job.not_before ? [{ label: t("job.notBefore"), value: <RelativeTime at={job.not_before} /> }] : []),
          ...(job.cancelled_at ? [{ label: t("job.cancelledAt"), value: <><RelativeTime at={job.cancelled_at} /> {job.cancelled_by && t("jobs.by", { name: job.cancelled_by.name || job.cancelled_by.id })}</> }] : []),
          ...(job.done_at ? [{ label: t("job.doneAt"), value: <RelativeTime at={job.done_at} /> }] : []),
          ...(job.retries ? [{ label: t("job.retries"), value: <Link to="/jobs/$jobId" params={{ jobId: job.retries }} className="text-accent-fg underline underline-offset-4">{t("job.retries.link")}</Link> }] : []),
        ]}
      />
    </Section>
  );
}
