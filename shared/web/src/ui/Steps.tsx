import { CircleCheck, CircleDashed, CircleX, Hourglass } from "lucide-react";
import type { ReactNode } from "react";
import { useWebMessages } from "../i18n/context";
import { classes } from "./classes";

export type StepState = "done" | "now" | "later" | "failed";

export interface StepsProps {
  label: string;
  steps: readonly { id: string; title: string; state: StepState; note?: ReactNode }[];
}

const icons = { done: CircleCheck, now: Hourglass, later: CircleDashed, failed: CircleX };
const tones = { done: "text-ok", now: "text-accent-fg", later: "text-fg-dim", failed: "text-bad" };

/** A list of things that happen one after the other, each ticked off on evidence. */
export function Steps({ label, steps }: StepsProps) {
  const t = useWebMessages();
  return (
    <ol aria-label={label} aria-live="polite" className="flex flex-col">
      {steps.map((step, i) => {
        const Icon = icons[step.state];
        return (
          <li key={step.id} data-step={step.id} data-state={step.state} className="relative flex min-h-13 items-start gap-3 pb-4 last:pb-2">
            {i < steps.length - 1 && <span aria-hidden className={classes("absolute top-7 bottom-0 left-3 w-px", step.state === "done" ? "bg-ok" : "bg-line")} />}
            <Icon aria-hidden className={classes("relative size-6 shrink-0 bg-ink-850", tones[step.state])} />
            <div className="min-w-0 flex-1">
              <p className={classes("text-base", step.state === "later" ? "text-fg-dim" : "font-medium")}>
                {step.title}
                <span className="sr-only">{`, ${t(`step.${step.state}`)}`}</span>
              </p>
              {step.note && <div className="mt-0.5 text-xs text-fg-muted">{step.note}</div>}
            </div>
          </li>
        );
      })}
    </ol>
  );
}
