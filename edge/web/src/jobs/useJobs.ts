import { Collection, useCell, type Page } from "@obedio/web";
import { useCallback, useEffect, useState } from "react";
import type { Command, Job } from "../api/resources";
import { useHub } from "../context";

/** The largest page that the hub gives. */
const pageSize = 500;
/** How many jobs are shown at first, and are added each time. */
const shownAtOnce = 20;
/** Milliseconds from a step of a job's command until the job is read again, once for many steps. */
const settle = 500;

/** The newest jobs, kept current; `older` reads more of them. */
export function useJobs() {
  const hub = useHub();
  const [list] = useState(() => new Collection<Job>({ key: (j) => j.job_id, batcher: hub.batcher }));
  const [next, setNext] = useState<string | null>(null);
  const readings = useCell(hub.readings);
  const page = useCallback(
    (cursor?: string, signal?: AbortSignal) => hub.api.get<Page<Job>>("/jobs", { query: { limit: shownAtOnce, cursor }, ...(signal ? { signal } : {}) }),
    [hub],
  );
  const reload = useCallback(() => void list.load(async (_, signal) => {
    const first = await page(undefined, signal);
    setNext(first.next_cursor);
    return { items: first.items, next_cursor: null };
  }), [list, page]);
  useEffect(reload, [reload, readings]);
  const older = useCallback(async () => {
    if (next === null) return;
    const more = await page(next);
    hub.batcher.run(() => more.items.forEach((j) => list.upsert(j)));
    setNext(more.next_cursor);
  }, [hub, list, page, next]);
  useEffect(() => followJobs(hub, (id) => readJob(hub, id).then((j) => list.upsert(j))), [hub, list]);
  return { list, reload, older: next === null ? undefined : older };
}

/** One job and what became of each of its devices, kept current. */
export function useJob(jobId: string) {
  const hub = useHub();
  const [jobs] = useState(() => new Collection<Job>({ key: (j) => j.job_id, batcher: hub.batcher }));
  const [commands] = useState(() => new Collection<Command>({
    key: (c) => c.command_id,
    batcher: hub.batcher,
    supersedes: (next, held) => next.steps.length >= held.steps.length,
  }));
  const readings = useCell(hub.readings);
  const reload = useCallback(() => {
    void jobs.load(async (_, signal) => ({ items: [await readJob(hub, jobId, signal)], next_cursor: null }));
    void commands.load((cursor, signal) => hub.api.get<Page<Command>>(`/jobs/${encodeURIComponent(jobId)}/results`, { query: { limit: pageSize, cursor }, signal }));
  }, [hub, jobs, commands, jobId]);
  useEffect(() => hub.watchJobs((c) => c.job_id === jobId && commands.upsert(c)), [hub, commands, jobId]);
  useEffect(reload, [reload, readings]);
  return { jobs, commands, reload };
}

type Hub = ReturnType<typeof useHub>;

function readJob(hub: Hub, id: string, signal?: AbortSignal): Promise<Job> {
  return hub.api.get<Job>(`/jobs/${encodeURIComponent(id)}`, signal ? { signal } : {});
}

/** Calls `read` for jobs whose commands have taken steps, each job at most once in a while. */
function followJobs(hub: Hub, read: (jobId: string) => Promise<void>): () => void {
  const moved = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const drain = () => {
    timer = undefined;
    // What cannot be read now is read when the line is back.
    for (const id of moved) void read(id).catch(() => {});
    moved.clear();
  };
  const stop = hub.watchJobs((command) => {
    moved.add(command.job_id!);
    timer ??= setTimeout(drain, settle);
  });
  return () => {
    stop();
    clearTimeout(timer);
  };
}
