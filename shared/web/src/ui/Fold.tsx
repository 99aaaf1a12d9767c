import { ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import { classes } from "./classes";

export interface FoldProps {
  title: ReactNode;
  note?: ReactNode;
  open?: boolean;
  className?: string;
  /** Hears when it is opened or closed, for a content that is made only then. */
  onToggle?: (open: boolean) => void;
  children: ReactNode;
}

/** What most people do not need: folded away, one touch from sight. */
export function Fold({ title, note, open = false, className, onToggle, children }: FoldProps) {
  return (
    <details open={open} onToggle={onToggle && ((e) => onToggle(e.currentTarget.open))} className={classes("group", className)}>
      <summary className="flex min-h-control cursor-pointer list-none items-center gap-2 rounded-control text-sm text-fg-muted hover:text-fg [&::-webkit-details-marker]:hidden">
        <ChevronRight aria-hidden className="size-4.5 shrink-0 transition-transform duration-150 group-open:rotate-90" />
        <span className="shrink-0 font-medium">{title}</span>
        {note && <span className="min-w-0 truncate text-xs text-fg-dim">{note}</span>}
      </summary>
      {children}
    </details>
  );
}
