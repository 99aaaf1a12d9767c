import type { LucideIcon } from "lucide-react";
import type { ButtonHTMLAttributes, Ref } from "react";
import { classes } from "./classes";

export type ButtonKind = "primary" | "secondary" | "quiet" | "danger" | "emergency" | "emergencyQuiet";

const kinds: Record<ButtonKind, string> = {
  primary: "bg-accent text-on-accent hover:bg-accent-strong border-transparent",
  secondary: "border-edge text-fg hover:bg-ink-800",
  quiet: "border-transparent text-fg-muted hover:bg-ink-800 hover:text-fg",
  danger: "border-bad text-bad hover:bg-bad-soft",
  emergencyQuiet: "border-on-emergency text-on-emergency hover:bg-emergency-strong",
  emergency: "bg-on-emergency text-emergency border-transparent hover:opacity-90",
};

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: ButtonKind;
  icon?: LucideIcon;
  /** Large for the one thing to do on a card. */
  large?: boolean;
  /** Work is under way: the button keeps its place and cannot be pressed again. */
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({ kind = "secondary", icon: Icon, large = false, busy = false, className, children, disabled, type, ...rest }: ButtonProps) {
  return (
    <button
      type={type ?? "button"}
      // aria-disabled keeps the focus where it is while the work is under way.
      aria-disabled={busy || undefined}
      disabled={disabled}
      onClickCapture={busy ? (e) => { e.preventDefault(); e.stopPropagation(); } : undefined}
      className={classes(
        "inline-flex items-center justify-center gap-2 rounded-control border font-medium whitespace-nowrap select-none",
        "transition-colors duration-150 disabled:opacity-50 disabled:pointer-events-none aria-disabled:opacity-70",
        large ? "min-h-13 px-6 text-base" : "min-h-control px-4 text-sm",
        kinds[kind],
        className,
      )}
      {...rest}
    >
      {Icon && <Icon aria-hidden className="size-[1.125em] shrink-0" />}
      {children}
    </button>
  );
}

export interface IconButtonProps extends Omit<ButtonProps, "icon" | "large"> {
  icon: LucideIcon;
  /** The accessible name; shown as a tooltip too. */
  label: string;
}

export function IconButton({ icon: Icon, label, className, kind = "quiet", ...rest }: IconButtonProps) {
  return (
    <Button kind={kind} aria-label={label} title={label} className={classes("min-w-control px-0!", className)} {...rest}>
      <Icon aria-hidden className="size-5" />
    </Button>
  );
}
