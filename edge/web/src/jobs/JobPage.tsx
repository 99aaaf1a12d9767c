import {
  Button, Chip, CommandBadge, DataTable, DataView, Dialog, DialogActions, Facts, Notice, RelativeTime, Section, Skeletons, commandLook, lookOf, newIdempotencyKey,
  useDerived, useFormats, useItem, useKeys, useStatus, useToast, useWords, useWork, viewStateOf, type Collection, type Column, type Sorting,
} from "@obedio/web";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { CircleX, RotateCw, SearchX } from "lucide-react";
import { useCallback, useMemo, useRef, useState } from "react";
import type { Command, Job } from "../api/resources";
import { useCanWrite, useHub, usePermits, useReach, useT } from "../context";
import { jobs as texts } from "../messages/jobs";
import { BackLink } from "../shell/BackLink";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { JobState } from "./JobsPage";
import { Progress } from "./Progress";
import { cancellable, countStates, ended, retryable, shownStates, type StateCounts } from "./states";
import { useJob } from "./useJobs";

/** One command for many devices: how far it has come, and what became of each. */
export function JobPage() {
  const t = useT(texts);
  const { jobId } = useParams({ from: "/mqtt/jobs/$jobId" });
  return (
    <Page title={t("jobs.title")}>
      <BackLink to="/mqtt/jobs">{t("job.back")}</BackLink>
      <Guard needs="jobs.read"><Loaded key={jobId} jobId={jobId} /></Guard>
    </Page>
  );
}

function Loaded({ jobId }: { jobId: string }) {
  const t = useT(texts);
  const reach = useReach();
  const { jobs, commands, reload } = useJob(jobId);
  const job = useItem(jobs, jobId);
  const status = useStatus(jobs);
  if (!job && status.error && (status.error.status === 404 || status.error.status === 422)) {
    return <Notice testId="job-missing" icon={SearchX} title={t("job.missing")} detail={t("job.missing.detail")} />;
  }
  const state = viewStateOf({ status, total: job ? 1 : 0, shown: job ? 1 : 0, reach });
  return (
    <DataView state={state} quietLink onRetry={reload} empty={{ title: t("job.missing") }} skeleton={<Skeletons count={2} itemClass="h-44" className="flex flex-col gap-5" />}>
      {job && <View job={job} jobs={jobs} commands={commands} reload={reload} />}
    </DataView>
  );
}

function View({ job, jobs, commands, reload }: { job: Job; jobs: Collection<Job>; commands: Collection<Command>; reload: () => void }) {
  const t = useT(texts);
  const { number } = useFormats();
  const read = useStatus(commands).loadedAt !== undefined;
  const live = useDerived(commands, countStates);
  // Until every result is here the job's own counts are the truth.
  const counts: StateCounts = read ? live : job.states;
  const now = { ...job, states: counts as Job["states"], done: read ? ended(counts) >= job.targets : job.done };
  return (
    <div data-testid="job" data-job-id={job.job_id} data-done={now.done} className="flex flex-col gap-5">
      <div className="flex flex-wrap items-start justify-between gap-4">
        <div className="min-w-0">
          <h2 className="flex flex-wrap items-center gap-x-3 gap-y-1 text-lg font-semibold"><code className="font-mono">{job.name}</code><JobState job={now} /></h2>
          <p className="mt-1 text-sm text-fg-muted">{t("jobs.devices", { n: job.targets, shown: number(job.targets) })} · {t("job.ended", { ended: number(ended(counts)), all: number(job.targets) })}</p>
        </div>
        <Actions job={job} counts={counts} onCancelled={(j) => { jobs.upsert(j); reload(); }} />
      </div>
      <Progress counts={counts} targets={job.targets} />
      <Results commands={commands} counts={counts} reload={reload} />
      <About job={job} />
    </div>
  );
}

function Actions({ job, counts, onCancelled }: { job: Job; counts: StateCounts; onCancelled: (job: Job) => void }) {
  const t = useT(texts);
  const hub = useHub();
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
  const again = retryable(counts);
  const open = cancellable(counts);
  const at = `/jobs/${encodeURIComponent(job.job_id)}`;
  const retry = () => void retrying.run(async () => {
    key.current ??= newIdempotencyKey();
    const next = await hub.api.post<Job>(`${at}/retry`, undefined, { idempotencyKey: key.current });
    key.current = undefined;
    toast({ tone: "ok", title: t("job.retried") });
    await navigate({ to: "/mqtt/jobs/$jobId", params: { jobId: next.job_id } });
  });
  const cancel = async () => {
    if (!(await cancelling.run(async () => onCancelled(await hub.api.post<Job>(`${at}/cancel`))))) return;
    setAsked(false);
    toast({ tone: "ok", title: t("job.cancelled") });
  };
  return (
    <div className="flex flex-col items-end gap-2">
      <div className="flex flex-wrap gap-3">
        {mayCancel && open > 0 && !job.cancelled_at && <Button kind="danger" icon={CircleX} disabled={!canWrite} className="whitespace-normal!" onClick={() => setAsked(true)}>{t("job.cancel")}</Button>}
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

function Results({ commands, counts, reload }: { commands: Collection<Command>; counts: StateCounts; reload: () => void }) {
  const t = useT(texts);
  const words = useWords();
  const reach = useReach();
  const { number, collator } = useFormats();
  const search = useSearch({ from: "/mqtt/jobs/$jobId" });
  const navigate = useNavigate({ from: "/mqtt/jobs/$jobId" });
  const [sorting, setSorting] = useState<Sorting>({ column: "device", descending: false });
  const shown = search.state ?? "";
  const show = (state: string) => void navigate({ search: state ? { state } : {}, replace: true, resetScroll: false });
  const { column, descending } = sorting;
  const ids = useKeys(commands, useCallback((c: Collection<Command>) => {
    const sign = descending ? -1 : 1;
    const by = (a: Command, b: Command) => (column === "when" ? a.updated_at.localeCompare(b.updated_at) : 0) || collator.compare(a.device_id, b.device_id);
    return [...c.values()].filter((x) => shown === "" || x.state === shown).sort((a, b) => sign * by(a, b)).map((x) => x.command_id);
  }, [shown, column, descending, collator]));
  const columns = useMemo<Column<Command>[]>(() => [
    { id: "device", header: t("job.col.device"), width: "minmax(9rem,1.3fr)", sortable: true, cell: (c) => <DeviceName id={c.device_id} /> },
    { id: "state", header: t("job.col.state"), width: "9rem", cell: (c) => <CommandBadge bare state={c.state} /> },
    { id: "room", header: t("job.col.room"), width: "minmax(7rem,1fr)", cell: (c) => <DeviceRoom id={c.device_id} /> },
    { id: "when", header: t("job.col.when"), width: "7rem", sortable: true, cell: (c) => <RelativeTime at={c.updated_at} focusable={false} className="text-fg-muted" /> },
    { id: "said", header: t("job.col.said"), width: "minmax(10rem,2fr)", cell: (c) => <Said command={c} /> },
  ], [t]);
  const state = viewStateOf({ status: useStatus(commands), total: commands.size, shown: ids.length, reach });
  const all = Object.values(counts).reduce<number>((n, c) => n + (c ?? 0), 0);
  return (
    <Section title={t("job.results")} testId="results">
      <div role="group" aria-label={t("job.filter")} className="flex gap-2 overflow-x-auto border-b border-line px-4 py-2">
        <Chip pressed={shown === ""} onPress={() => show("")} label={t("job.all")} count={number(all)} />
        {shownStates(counts).map((s) => {
          const look = lookOf(commandLook, s);
          return <Chip key={s} icon={look.icon} tone={look.tone} pressed={shown === s} onPress={() => show(shown === s ? "" : s)} label={words.command(s)} count={number(counts[s] ?? 0)} />;
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
          items={commands}
          sorting={sorting}
          onSortingChange={setSorting}
          rowHeight={52}
          minWidth="52rem"
          rowAttributes={resultAttributes}
          rowLink={resultLink}
        />
      </DataView>
    </Section>
  );
}

const resultAttributes = (c: Command) => ({ "data-device-id": c.device_id, "data-state": c.state });
const resultLink = (c: Command, children: React.ReactNode) => (
  <Link to="/mqtt/devices/$deviceId" params={{ deviceId: c.device_id }} className="reveals-time flex min-h-control items-center truncate rounded-md underline-offset-4 hover:underline">{children}</Link>
);

function DeviceName({ id }: { id: string }) {
  const device = useItem(useHub().devices, id);
  return <span className="truncate font-medium">{device?.name || id}</span>;
}

function DeviceRoom({ id }: { id: string }) {
  const t = useT(texts);
  const device = useItem(useHub().devices, id);
  return <span className="block truncate text-fg-muted">{device ? device.room_name || device.room : t("job.unknownDevice")}</span>;
}

function Said({ command: c }: { command: Command }) {
  const t = useT(texts);
  if (c.error) return <span title={c.error} className="block truncate text-bad">{c.error}</span>;
  if (c.anomaly) return <span className="block truncate text-warn">{t("command.anomaly")}: {c.anomaly}</span>;
  if (c.result === undefined || c.result === null) return null;
  const text = JSON.stringify(c.result);
  return <code title={text} className="block truncate font-mono text-xs text-fg-muted">{text}</code>;
}

function About({ job }: { job: Job }) {
  const t = useT(texts);
  return (
    <Section title={t("job.command")}>
      <Facts
        items={[
          { label: t("job.issued"), value: <RelativeTime at={job.issued_at} /> },
          { label: t("job.issuedBy"), value: job.issued_by.name || job.issued_by.id },
          { label: t("job.expires"), value: <RelativeTime at={job.expires_at} /> },
          ...(job.args === undefined || job.args === null ? [] : [{ label: t("job.args"), value: <code className="font-mono text-xs break-all">{JSON.stringify(job.args)}</code> }]),
          ...(job.filter === undefined ? [] : [{ label: t("job.chosenBy"), value: <code className="font-mono text-xs break-all">{job.filter}</code> }]),
          ...(job.cancelled_at ? [{ label: t("job.cancelledAt"), value: <RelativeTime at={job.cancelled_at} /> }] : []),
          ...(job.retries ? [{ label: t("job.retries"), value: <Link to="/mqtt/jobs/$jobId" params={{ jobId: job.retries }} className="text-accent-fg underline underline-offset-4">{t("job.retries.link")}</Link> }] : []),
        ]}
      />
    </Section>
  );
}
