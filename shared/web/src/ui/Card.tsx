import type { HTMLAttributes, ReactNode } from "react";
import { classes } from "./classes";

export function Card({ className, ...rest }: HTMLAttributes<HTMLDivElement>) {
  return <div className={classes("rounded-card border border-line bg-ink-850", className)} {...rest} />;
}

export interface SectionProps {
  title: string;
  /** Beside the title, such as a count or an age. */
  note?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
  testId?: string;
}

/** A card with a heading, known to screen readers as a region of that name. */
export function Section({ title, note, actions, children, className, testId }: SectionProps) {
  return (
    <section aria-label={title} data-testid={testId} className={classes("rounded-card border border-line bg-ink-850", className)}>
      <header className="flex min-h-13 flex-wrap items-center justify-between gap-x-4 gap-y-1 border-b border-line px-4 py-2">
        <h2 className="flex flex-wrap items-baseline gap-x-2 text-sm font-semibold">
          {title}
          {note && <span className="text-xs font-normal text-fg-dim">{note}</span>}
        </h2>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      {children}
    </section>
  );
}

/** Name and value pairs, in as many columns as fit. */
export function Facts({ items, className }: { items: readonly { label: string; value: ReactNode }[]; className?: string }) {
  return (
    <dl className={classes("grid grid-cols-[repeat(auto-fill,minmax(min(100%,9.75rem),1fr))] gap-x-6 gap-y-4 p-4", className)}>
      {items.map(({ label, value }) => (
        <div key={label} className="min-w-0">
          <dt className="text-xs text-fg-dim">{label}</dt>
          <dd className="mt-0.5 text-sm">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
