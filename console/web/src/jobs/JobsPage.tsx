import { Button, DataView, JobProgress, RelativeTime, Skeletons, ended, retryable, useFormats, useItem, useKeys, useStatus, viewStateOf, type Collection } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useEffect } from "react";
import type { Job } from "../api/resources";
import { useConsole, usePermits, useReach, useT } from "../context";
import { useGrowingList } from "../lists";
import { jobs as texts } from "../messages/jobs";
import { Page } from "../shell/Page";
import { JobStanding, jobKey } from "./parts";

const newestFirst = (c: Collection<Job>) => [...c.values()].sort((a, b) => b.job_id.localeCompare(a.job_id)).map(jobKey);

/** Commands for many devices of many sites, the newest first. */
export function JobsPage() {
  const t = useT(texts);
  const console = useConsole();
  const may = usePermits("commands.send");
  const { list, reload, more } = useGrowingList<Job>("/jobs", jobKey, undefined, 20);
  useEffect(() => followJobs(console.watchJobs, (id) => console.api.get<Job>(`/jobs/${encodeURIComponent(id)}`).then((j) => list.upsert(j))), [console, list]);
  const ids = useKeys(list, newestFirst);
  const state = viewStateOf({ status: useStatus(list), total: ids.length, shown: ids.length, reach: useReach() });
  const add = may && <NewJobLink />;
  return (
    <Page title={t("jobs.title")} name={t("jobs.title")} actions={add}>
      <DataView
        state={state}
        quietLink
        onRetry={reload}
        empty={{ title: t("jobs.empty"), detail: t("jobs.empty.detail"), action: add }}
        skeleton={<Skeletons count={4} itemClass="h-20" className="flex flex-col gap-3" />}
      >
        <ul className="flex flex-col gap-3" aria-label={t("jobs.title")}>{ids.map((id) => <Row key={id} id={id} list={list} />)}</ul>
        {more && <div className="mt-4 flex justify-center"><Button onClick={() => void more()}>{t("jobs.older")}</Button></div>}
      </DataView>
    </Page>
  );
}

function NewJobLink() {
  const t = useT(texts);
  return (
    <Link to="/jobs/new" className="inline-flex min-h-control items-center gap-2 rounded-control bg-accent px-4 text-sm font-medium whitespace-nowrap text-on-accent transition-colors duration-150 hover:bg-accent-strong">
      <Plus aria-hidden className="size-4.5" />
      {t("jobs.new")}
    </Link>
  );
}

function Row({ id, list }: { id: string; list: Collection<Job> }) {
  const t = useT(texts);
  const { number } = useFormats();
  const job = useItem(list, id);
  if (!job) return null;
  const over = ended(job.states);
  const missed = retryable(job.states);
  return (
    <li data-testid="job-row" data-job-id={id} data-done={job.done} className="relative rounded-card border border-line bg-ink-850 px-4 py-3 hover:bg-ink-800/60">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
        <Link to="/jobs/$jobId" params={{ jobId: id }} aria-label={t("jobs.open", { name: job.name })} className="font-mono text-sm font-medium after:absolute after:inset-0 after:rounded-card">
          {job.name}
        </Link>
        <span className="text-sm text-fg-muted">{t("jobs.for", { devices: job.targets, shownDevices: number(job.targets), sites: job.sites, shownSites: number(job.sites) })}</span>
        <span className="ml-auto"><JobStanding job={job} /></span>
      </div>
      <div className="mt-2.5"><JobProgress slim title={t("jobs.ended", { ended: number(over), all: number(job.targets) })} counts={job.states} targets={job.targets} /></div>
      <p className="mt-2 flex flex-wrap gap-x-3 text-xs text-fg-dim">
        <span><RelativeTime at={job.issued_at} focusable={false} /> {t("jobs.by", { name: job.issued_by.name || job.issued_by.id })}</span>
        <span>{t("jobs.ended", { ended: number(over), all: number(job.targets) })}</span>
        {missed > 0 && <span className="text-warn">{t("jobs.missed", { shown: number(missed) })}</span>}
      </p>
    </li>
  );
}

/** Calls `read` for jobs that have come further, each at most once in a while. */
export function followJobs(watch: (watcher: (jobId: string) => void) => () => void, read: (jobId: string) => Promise<unknown>): () => void {
  const moved = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const drain = () => {
    timer = undefined;
    // What cannot be read now is read when the line is back.
    for (const id of moved) void read(id).catch(() => {});
    moved.clear();
  };
  const stop = watch((id) => {
    moved.add(id);
    timer ??= setTimeout(drain, 300);
  });
  return () => {
    stop();
    clearTimeout(timer);
  };
}
