import { classes } from "@obedio/web";
import { Link, type LinkProps } from "@tanstack/react-router";
import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

const kinds = {
  primary: "border-transparent bg-accent text-on-accent hover:bg-accent-strong",
  secondary: "border-edge text-fg hover:bg-ink-800",
  quiet: "border-transparent text-fg-muted hover:bg-ink-800 hover:text-fg",
};

export type ButtonLinkKind = keyof typeof kinds;

/** How a link looks that is the thing to press. */
export function buttonLook(kind: ButtonLinkKind = "secondary", large = false): string {
  return classes(
    "inline-flex items-center justify-center gap-2 rounded-control border font-medium whitespace-nowrap transition-colors duration-150",
    large ? "min-h-13 px-6 text-base" : "min-h-control px-4 text-sm",
    kinds[kind],
  );
}

export function ButtonLink({ kind, icon: Icon, large, children, ...to }: LinkProps & { kind?: ButtonLinkKind; icon?: LucideIcon; large?: boolean; children: ReactNode }) {
  return (
    <Link {...to} className={buttonLook(kind, large)}>
      {Icon && <Icon aria-hidden className="size-[1.125em] shrink-0" />}
      {children}
    </Link>
  );
}

/** The same for what the hub serves as a file. */
export function FileLink({ href, name, kind, icon: Icon, children }: { href: string; name: string; kind?: ButtonLinkKind; icon?: LucideIcon; children: ReactNode }) {
  return (
    <a href={href} download={name} className={buttonLook(kind)}>
      {Icon && <Icon aria-hidden className="size-[1.125em] shrink-0" />}
      {children}
    </a>
  );
}
