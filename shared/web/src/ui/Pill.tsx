import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { classes } from "./classes";

/** What a colour means. `idle` is "nothing to say" and "unknown": it is never green. */
export type Tone = "ok" | "warn" | "bad" | "accent" | "idle" | "warn-strong" | "bad-strong";

export const toneText: Record<Tone, string> = {
  ok: "text-ok",
  warn: "text-warn",
  bad: "text-bad",
  accent: "text-accent-fg",
  idle: "text-idle",
  "warn-strong": "text-warn",
  "bad-strong": "text-bad",
};

const toneFill: Record<Tone, string> = {
  ok: "bg-ok-soft text-ok",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
  accent: "bg-accent-soft text-accent-fg",
  idle: "bg-idle-soft text-idle",
  "warn-strong": "bg-warn-fill text-on-warn",
  "bad-strong": "bg-emergency text-on-emergency",
};

export interface PillProps {
  tone: Tone;
  icon: LucideIcon;
  children: ReactNode;
  className?: string;
  title?: string;
}

/** Icon, word and colour: a state at a glance, on one line unless it `wraps`. */
export function Pill({ tone, icon: Icon, children, className, title, wraps = false }: PillProps & { wraps?: boolean }) {
  return (
    <span
      title={title}
      className={classes(
        "inline-flex min-w-0 max-w-full items-center gap-1.5 px-2.5 py-1 text-xs font-medium",
        wraps ? "rounded-control" : "rounded-full whitespace-nowrap",
        toneFill[tone],
        className,
      )}
    >
      <Icon aria-hidden className="size-4 shrink-0" />
      <span className={wraps ? "min-w-0" : "truncate"}>{children}</span>
    </span>
  );
}

/** The same without a background, for dense tables. */
export function Mark({ tone, icon: Icon, children, className, title }: PillProps) {
  return (
    <span title={title} className={classes("inline-flex min-w-0 items-center gap-1.5 whitespace-nowrap", toneText[tone], className)}>
      <Icon aria-hidden className="size-4 shrink-0" />
      <span className="truncate">{children}</span>
    </span>
  );
}
