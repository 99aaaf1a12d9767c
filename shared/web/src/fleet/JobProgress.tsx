import { useFormats } from "../i18n/context";
import { classes } from "../ui/classes";
import type { Tone } from "../ui/Pill";
import { useWords } from "./badges";
import { shownStates, type StateCounts } from "./job-states";
import { commandLook, lookOf } from "./states";

const fills: Record<Tone, string> = {
  ok: "bg-ok", warn: "bg-warn", bad: "bg-bad", accent: "bg-accent", idle: "bg-edge", "warn-strong": "bg-warn", "bad-strong": "bg-bad",
};

/** How far a job has come: a bar of its states, and in words for who cannot see it. */
export function JobProgress({ title, counts, targets, slim = false }: { title: string; counts: StateCounts; targets: number; slim?: boolean }) {
  const words = useWords();
  const { number } = useFormats();
  const states = shownStates(counts);
  const label = [title, ...states.map((s) => `${words.command(s)}: ${number(counts[s] ?? 0)}`)].join(", ");
  return (
    <div role="img" aria-label={label} className={classes("flex w-full gap-0.5 overflow-hidden rounded-full bg-ink-800", slim ? "h-2" : "h-3")}>
      {states.map((s) => (
        <span key={s} className={fills[lookOf(commandLook, s).tone]} style={{ width: `${(100 * (counts[s] ?? 0)) / Math.max(1, targets)}%` }} />
      ))}
    </div>
  );
}
