import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { classes } from "./classes";
import { toneText, type Tone } from "./Pill";

export interface BannerProps {
  tone: Tone;
  icon: LucideIcon;
  title: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
  testId?: string;
}

const borders: Record<Tone, string> = {
  ok: "border-ok/40 bg-ok-soft",
  warn: "border-warn/40 bg-warn-soft",
  bad: "border-bad/50 bg-bad-soft",
  accent: "border-accent/40 bg-accent-soft",
  idle: "border-line bg-ink-850",
  "warn-strong": "border-warn bg-warn-soft",
  "bad-strong": "border-emergency bg-emergency text-on-emergency",
};

/** Something about the whole page that stays until it is over. Polite: role=alert is for emergencies. */
export function Banner({ tone, icon: Icon, title, children, actions, testId }: BannerProps) {
  return (
    <div role="status" data-testid={testId} className={classes("flex flex-wrap items-center gap-x-4 gap-y-2 rounded-card border px-4 py-3", borders[tone])}>
      <Icon aria-hidden className={classes("size-5 shrink-0", tone === "bad-strong" ? "" : toneText[tone])} />
      <div className="min-w-0 flex-1 basis-48">
        <p className="text-sm font-medium">{title}</p>
        {children && <div className="mt-0.5 text-xs text-fg-muted">{children}</div>}
      </div>
      {actions}
    </div>
  );
}
