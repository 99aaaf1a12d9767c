import type { LucideIcon } from "lucide-react";
import { classes } from "./classes";
import { toneText, type Tone } from "./Pill";

export interface ChipProps {
  pressed: boolean;
  onPress: () => void;
  label: string;
  count?: string;
  icon?: LucideIcon;
  tone?: Tone;
}

/** A filter that is on or off. */
export function Chip({ pressed, onPress, label, count, icon: Icon, tone = "idle" }: ChipProps) {
  return (
    <button
      type="button"
      aria-pressed={pressed}
      onClick={onPress}
      className={classes(
        "inline-flex min-h-control shrink-0 items-center gap-2 rounded-full border px-3.5 text-sm whitespace-nowrap transition-colors duration-150",
        pressed ? "border-accent bg-accent-soft text-accent-fg" : "border-edge text-fg-muted hover:bg-ink-800 hover:text-fg",
      )}
    >
      {Icon && <Icon aria-hidden className={classes("size-4", !pressed && toneText[tone])} />}
      {label}
      {count !== undefined && <span className={classes("tabular-nums", !pressed && "text-fg-dim")}>{count}</span>}
    </button>
  );
}
