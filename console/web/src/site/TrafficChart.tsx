import { TimeChart } from "@obedio/web/chart";
import { useMemo } from "react";
import type { TrafficBucket } from "../api/resources";

interface Props {
  buckets: readonly TrafficBucket[];
  /** Seconds of one bucket. */
  width: number;
  label: string;
  onPoint: (index: number | undefined) => void;
}

/** Messages over time, in and out. Days are those of UTC, as the hub sums them up. */
export function TrafficChart({ buckets, width, label, onPoint }: Props) {
  const data = useMemo(() => dataOf(buckets), [buckets]);
  return <TimeChart {...data} width={width} label={label} testId="traffic-chart" {...(width > 3600 ? { zone: "UTC" } : {})} onPoint={onPoint} />;
}

export function dataOf(buckets: readonly TrafficBucket[]) {
  return {
    times: buckets.map((b) => Date.parse(b.at) / 1000),
    lines: [
      { tone: "accent" as const, values: buckets.map((b) => b.counts?.messages_in ?? null) },
      { tone: "ok" as const, values: buckets.map((b) => b.counts?.messages_out ?? null) },
    ],
    known: buckets.map((b) => (b.hours > 0 ? b.held / b.hours : 1)),
  };
}
