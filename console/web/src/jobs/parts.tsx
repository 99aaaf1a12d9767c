import { Mark, commandLook, lookOf, useWords, type Look } from "@obedio/web";
import { CalendarClock, CircleCheck, CircleX, ListChecks, LoaderCircle, TriangleAlert, type LucideIcon } from "lucide-react";
import type { Tone } from "@obedio/web";
import type { Job } from "../api/resources";
import { useT } from "../context";
import { jobs as texts } from "../messages/jobs";

const scheduledLook: Look = { icon: CalendarClock, tone: "idle" };

export const targetLook = (state: string): Look => (state === "scheduled" ? scheduledLook : lookOf(commandLook, state));

/** What the state of a target is called: a command's, or scheduled. */
export function useTargetWord(): (state: string) => string {
  const t = useT(texts);
  const words = useWords();
  return (state) => (state === "scheduled" ? t("job.state.scheduled") : words.command(state));
}

type Standing = "choosing" | "running" | "cancelling" | "cancelled" | "succeeded" | "ended";

const standingLooks: Record<Standing, { icon: LucideIcon; tone: Tone }> = {
  choosing: { icon: ListChecks, tone: "accent" },
  running: { icon: LoaderCircle, tone: "accent" },
  cancelling: { icon: LoaderCircle, tone: "idle" },
  cancelled: { icon: CircleX, tone: "idle" },
  succeeded: { icon: CircleCheck, tone: "ok" },
  ended: { icon: TriangleAlert, tone: "warn" },
};

export function standingOf(job: Job): Standing {
  if (job.cancelled_at) return job.done ? "cancelled" : "cancelling";
  if (!job.done) return job.choosing > 0 ? "choosing" : "running";
  return (job.states["succeeded"] ?? 0) === job.targets ? "succeeded" : "ended";
}

/** Where a job stands. */
export function JobStanding({ job }: { job: Job }) {
  const t = useT(texts);
  const standing = standingOf(job);
  const look = standingLooks[standing];
  return <Mark tone={look.tone} icon={look.icon} className="text-sm">{t(`jobs.state.${standing}`)}</Mark>;
}

export const jobKey = (j: Job): string => j.job_id;
