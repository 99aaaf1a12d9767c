import { Link, type LinkProps } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import type { ReactNode } from "react";

/** The way back, above a page's content. */
export function BackLink({ children, ...to }: LinkProps & { children: ReactNode }) {
  return (
    <Link {...to} className="-mt-2 mb-2 inline-flex min-h-control items-center gap-1 rounded-md pr-2 text-sm text-fg-muted hover:text-fg print:hidden">
      <ChevronLeft aria-hidden className="size-5" />
      {children}
    </Link>
  );
}
