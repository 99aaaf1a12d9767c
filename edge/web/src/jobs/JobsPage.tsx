import { Button, DataView, Pill, RelativeTime, Skeletons, useFormats, useItem, useKeys, useStatus, useWords, useWork, viewStateOf, type Collection } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { ChevronRight, CircleCheck, CircleDashed, CircleX, Hourglass, TriangleAlert } from "lucide-react";
import type { Job } from "../api/resources";
import { useReach, useT } from "../context";
import { jobs } from "../messages/jobs";
import { BackLink } from "../shell/BackLink";
import { ButtonLink } from "../shell/ButtonLink";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { Progress } from "./Progress";
import { ended, retryable, shownStates } from "./states";
import { useJobs } from "./useJobs";

/** Commands for many devices, newest first, with how far each has come. */
export function JobsPage() {
  const t = useT(jobs);
  return (
    <Page title={t("jobs.title")}>
      <BackLink to="/mqtt/devices">{t("jobs.back")}</BackLink>
      <Guard needs="jobs.read"><List /></Guard>
    </Page>
  );
}

const newestFirst = (list: Collection<Job>) => [...list.values()].sort((a, b) => b.job_id.localeCompare(a.job_id)).map((j) => j.job_id);

function List() {
  const t = useT(jobs);
  const reach = useReach();
  const work = useWork();
  const { list, reload, older } = useJobs();
  const ids = useKeys(list, newestFirst);
  const state = viewStateOf({ status: useStatus(list), total: ids.length, shown: ids.length, reach });
  return (
    <DataView
      state={state}
      quietLink
      onRetry={reload}
      empty={{ title: t("jobs.empty"), detail: t("jobs.empty.detail"), action: <ButtonLink kind="primary" to="/mqtt/devices">{t("jobs.choose")}</ButtonLink> }}
      skeleton={<Skeletons count={4} itemClass="h-24" className="flex flex-col gap-3" />}
    >
      <ul data-testid="jobs" className="flex flex-col gap-3">
        {ids.map((id) => <Entry key={id} list={list} id={id} />)}
      </ul>
      {older && (
        <div className="flex flex-col items-center gap-2 pt-5">
          <Button busy={work.busy} onClick={() => void work.run(older)}>{t("jobs.older")}</Button>
          {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        </div>
      )}
    </DataView>
  );
}

/** How a job stands. Green only when the command was carried out everywhere. */
export function JobState({ job }: { job: Pick<Job, "cancelled_at" | "done" | "states" | "targets"> }) {
  const t = useT(jobs);
  const { number } = useFormats();
  const missed = retryable(job.states);
  if (!job.done) return <Pill tone="accent" icon={Hourglass}>{t("jobs.running")}</Pill>;
  if (missed > 0) return <Pill tone="warn" icon={TriangleAlert}>{t("jobs.missed", { shown: number(missed) })}</Pill>;
  if (job.cancelled_at) return <Pill tone="idle" icon={CircleX}>{t("jobs.cancelled")}</Pill>;
  if ((job.states["succeeded"] ?? 0) >= job.targets) return <Pill tone="ok" icon={CircleCheck}>{t("jobs.succeeded")}</Pill>;
  return <Pill tone="idle" icon={CircleDashed}>{t("jobs.ended")}</Pill>;
}

function Entry({ list, id }: { list: Collection<Job>; id: string }) {
  const t = useT(jobs);
  const words = useWords();
  const { number } = useFormats();
  const job = useItem(list, id);
  if (!job) return null;
  return (
    <li>
      <Link
        to="/mqtt/jobs/$jobId"
        params={{ jobId: id }}
        data-job-id={id}
        aria-label={t("jobs.open", { name: job.name })}
        className="reveals-time flex items-center gap-4 rounded-card border border-line bg-ink-850 px-4 py-3 transition-colors duration-150 hover:bg-ink-800"
      >
        <span className="flex min-w-0 flex-1 flex-col gap-2.5">
          <span className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1">
            <span className="flex min-w-0 flex-wrap items-baseline gap-x-3">
              <code className="font-mono text-base font-semibold">{job.name}</code>
              <span className="text-sm text-fg-muted">{t("jobs.devices", { n: job.targets, shown: number(job.targets) })}</span>
            </span>
            <JobState job={job} />
          </span>
          <Progress slim counts={job.states} targets={job.targets} />
          <span className="flex flex-wrap justify-between gap-x-4 text-xs text-fg-dim">
            <span>{job.done ? shownStates(job.states).map((s) => `${words.command(s)} ${number(job.states[s] ?? 0)}`).join(" · ") : t("job.ended", { ended: number(ended(job.states)), all: number(job.targets) })}</span>
            <span>{t("jobs.by", { name: job.issued_by.name || job.issued_by.id })} · <RelativeTime at={job.issued_at} focusable={false} /></span>
          </span>
        </span>
        <ChevronRight aria-hidden className="size-5 shrink-0 text-fg-dim" />
      </Link>
    </li>
  );
}
