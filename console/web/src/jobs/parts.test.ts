import { describe, expect, test, vi } from "vitest";
import type { Job } from "../api/resources";
import { ago } from "../testing";
import { followJobs } from "./JobsPage";
import { standingOf } from "./parts";

const aJob = (over: Partial<Job>): Job => ({
  job_id: "j", name: "locate", targets: 2, sites: 1, issued_by: { kind: "user", id: "owner" }, issued_at: ago(1), expires_at: ago(-60), states: {}, choosing: 0, done: false, ...over,
});

describe("standingOf", () => {
  test.each([
    ["choosing", aJob({ choosing: 3 })],
    ["running", aJob({ states: { queued: 2 } })],
    ["cancelling", aJob({ cancelled_at: ago(0) })],
    ["cancelled", aJob({ cancelled_at: ago(0), done: true })],
    ["succeeded", aJob({ states: { succeeded: 2 }, done: true })],
    ["ended", aJob({ states: { succeeded: 1, failed: 1 }, done: true })],
  ])("%s", (name, job) => expect(standingOf(job)).toBe(name));
});

test("a job that moves often is read once in a while", () => {
  vi.useFakeTimers();
  const read = vi.fn(async () => {});
  let tell: (jobId: string) => void = () => {};
  const stop = followJobs((watcher) => {
    tell = watcher;
    return () => {};
  }, read);
  for (let i = 0; i < 10; i++) tell("a");
  tell("b");
  vi.advanceTimersByTime(400);
  expect(read.mock.calls).toEqual([["a"], ["b"]]);
  stop();
  tell("a");
  vi.useRealTimers();
});
