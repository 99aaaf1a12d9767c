import { JobProgress, ended, useFormats, type StateCounts } from "@obedio/web";
import { useT } from "../context";
import { jobs } from "../messages/jobs";

/** How far a job has come: a bar of its states, and in words for who cannot see it. */
export function Progress({ counts, targets, slim = false }: { counts: StateCounts; targets: number; slim?: boolean }) {
  const t = useT(jobs);
  const { number } = useFormats();
  return <JobProgress title={t("job.ended", { ended: number(ended(counts)), all: number(targets) })} counts={counts} targets={targets} slim={slim} />;
}
