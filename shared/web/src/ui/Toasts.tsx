import { CircleCheck, CircleX, Info, TriangleAlert, X } from "lucide-react";
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { useWebMessages } from "../i18n/context";
import { IconButton } from "./Button";
import { toneText } from "./Pill";

export interface Toast {
  tone: "ok" | "warn" | "bad" | "accent";
  title: string;
  detail?: string | undefined;
}

const icons = { ok: CircleCheck, warn: TriangleAlert, bad: CircleX, accent: Info };
const ToastContext = createContext<(toast: Toast) => void>(() => {});

/** Shows a short message that goes by itself; what must be read stays until it is dismissed (tone bad). */
export function useToast(): (toast: Toast) => void {
  return useContext(ToastContext);
}

export function ToastProvider({ children }: { children: ReactNode }) {
  const t = useWebMessages();
  const [toasts, setToasts] = useState<readonly (Toast & { id: number })[]>([]);
  const next = useRef(0);
  const show = useCallback((toast: Toast) => {
    setToasts((held) => [...held.slice(-2), { ...toast, id: next.current++ }]);
  }, []);
  const dismiss = useCallback((id: number) => setToasts((held) => held.filter((x) => x.id !== id)), []);
  return (
    <ToastContext value={show}>
      {children}
      <section
        aria-label={t("toast.region")}
        aria-live="polite"
        // On a phone a dialog is a sheet from below: messages are then above it.
        className="pointer-events-none fixed inset-x-0 bottom-[calc(4.75rem+env(safe-area-inset-bottom))] z-50 flex flex-col items-center gap-2 px-4 max-md:[.scroll-locked_&]:top-2 max-md:[.scroll-locked_&]:bottom-auto md:bottom-6"
      >
        {toasts.map((toast) => <ToastCard key={toast.id} toast={toast} onDismiss={() => dismiss(toast.id)} />)}
      </section>
    </ToastContext>
  );
}

function ToastCard({ toast, onDismiss }: { toast: Toast; onDismiss: () => void }) {
  const t = useWebMessages();
  const Icon = icons[toast.tone];
  const dismiss = useRef(onDismiss);
  useEffect(() => {
    dismiss.current = onDismiss;
  });
  const lasting = toast.tone === "bad";
  useEffect(() => {
    if (lasting) return;
    const timer = setTimeout(() => dismiss.current(), 6000);
    return () => clearTimeout(timer);
  }, [lasting]);
  return useMemo(
    () => (
      <div className="rise pointer-events-auto flex w-full max-w-md items-center gap-3 rounded-card border border-line bg-ink-800 py-1 pr-1 pl-4 shadow-raised">
        <Icon aria-hidden className={`size-5 shrink-0 ${toneText[toast.tone]}`} />
        <div className="min-w-0 flex-1 py-2">
          <p className="text-sm font-medium">{toast.title}</p>
          {toast.detail && <p className="text-xs text-fg-muted">{toast.detail}</p>}
        </div>
        <IconButton icon={X} label={t("toast.dismiss")} onClick={() => dismiss.current()} />
      </div>
    ),
    [toast, Icon, t],
  );
}
