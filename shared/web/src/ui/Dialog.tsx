import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import { useEffect, useRef, type ReactNode } from "react";
import { useWebMessages } from "../i18n/context";
import { IconButton } from "./Button";

export interface DialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description?: ReactNode;
  children: ReactNode;
  testId?: string;
}

/**
 * A modal dialog: a sheet from below on a phone, centred elsewhere. Radix keeps
 * the focus inside. Its own Overlay is not used, because that writes a style
 * element, which the Content-Security-Policy blocks.
 */
export function Dialog({ open, onOpenChange, title, description, children, testId }: DialogProps) {
  const t = useWebMessages();
  const before = useRef<Element | null>(null);
  useScrollLock(open);
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <div className="appear fixed inset-0 z-40 flex items-end justify-center bg-scrim sm:items-center sm:p-6">
          <Radix.Content
            data-testid={testId}
            onOpenAutoFocus={() => {
              before.current = document.activeElement;
            }}
            // There is no Radix trigger, so the focus goes back to where it was.
            onCloseAutoFocus={(e) => {
              e.preventDefault();
              if (before.current instanceof HTMLElement && before.current.isConnected) before.current.focus();
            }}
            {...(description === undefined ? { "aria-describedby": undefined } : {})}
            className="rise flex max-h-[92dvh] w-full flex-col overflow-hidden rounded-t-card border border-line bg-ink-850 shadow-raised sm:max-w-lg sm:rounded-card"
          >
            <header className="flex items-start justify-between gap-3 px-5 pt-4 pb-2">
              <div className="min-w-0 pt-1.5">
                <Radix.Title className="text-base font-semibold">{title}</Radix.Title>
                {description !== undefined && (
                  <Radix.Description asChild>
                    <div className="mt-1 text-sm text-fg-muted">{description}</div>
                  </Radix.Description>
                )}
              </div>
              <Radix.Close asChild>
                <IconButton icon={X} label={t("dialog.close")} className="-mr-2" />
              </Radix.Close>
            </header>
            <div className="min-h-0 overflow-y-auto px-5 pt-2 pb-[max(1.25rem,env(safe-area-inset-bottom))]">{children}</div>
          </Radix.Content>
        </div>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** The row of buttons at the end of a dialog; the main one last, on the right. */
export function DialogActions({ children }: { children: ReactNode }) {
  return <div className="mt-5 flex flex-wrap justify-end gap-3">{children}</div>;
}

let locks = 0;

export function useScrollLock(locked: boolean): void {
  useEffect(() => {
    if (!locked) return;
    locks++;
    document.documentElement.classList.add("scroll-locked");
    return () => {
      if (--locks === 0) document.documentElement.classList.remove("scroll-locked");
    };
  }, [locked]);
}
