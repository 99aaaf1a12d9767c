import { Button, useFormats } from "@obedio/web";
import { CheckCheck, Send, X } from "lucide-react";
import { Suspense, lazy, useState } from "react";
import { useCanWrite, usePermits, useT } from "../context";
import { useChosenAmong, type Selection } from "./selection";

// What most people never open comes when it is opened.
const BulkCommand = lazy(() => import("../jobs/BulkCommand").then((m) => ({ default: m.BulkCommand })));

/** What is chosen, and what can be done with it. Stays in sight while the list scrolls. */
export function SelectionBar({ selection, ids, onDone }: { selection: Selection; ids: readonly string[]; onDone: () => void }) {
  const t = useT();
  const { number } = useFormats();
  const maySend = usePermits("commands.send");
  const canWrite = useCanWrite();
  const chosen = useChosenAmong(selection, ids);
  const [sending, setSending] = useState<readonly string[]>();
  return (
    <div
      role="group" aria-label={t("devices.choose")} data-testid="selection"
      className="sticky bottom-[calc(4.5rem+env(safe-area-inset-bottom))] z-20 mt-4 flex flex-wrap items-center gap-2 rounded-card border border-edge bg-ink-800 px-4 py-2.5 shadow-raised md:bottom-4"
    >
      <p role="status" className="min-w-0 flex-1 basis-32 text-sm font-medium tabular-nums">{t("devices.chosen", { n: chosen.length, shown: number(chosen.length) })}</p>
      <Button icon={CheckCheck} disabled={chosen.length === ids.length} onClick={() => selection.add(ids)}>{t("devices.choose.all", { n: ids.length })}</Button>
      {maySend && <Button kind="primary" icon={Send} disabled={!canWrite || chosen.length === 0} onClick={() => setSending(chosen)}>{t("send.open")}</Button>}
      <Button kind="quiet" icon={X} onClick={onDone}>{t("devices.choose.end")}</Button>
      {sending && <Suspense fallback={null}><BulkCommand ids={sending} onClose={() => setSending(undefined)} /></Suspense>}
    </div>
  );
}
