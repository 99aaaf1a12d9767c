import { Button, Dialog, Pill, RelativeTime, classes, useCell, useClock, useToast } from "@obedio/web";
import { CloudUpload, Eye, Hourglass, Send, Trash2, TriangleAlert, Undo2 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useHub, useT } from "../context";
import type { QueuedAction } from "./action";
import { useRevoke, useWanted } from "./Queued";

/** How many actions wait for the hub or for a person, in the header of every page; and the panel with them. */
export function QueueBadge() {
  const t = useT();
  const actions = useCell(useHub().queue.actions);
  const [open, setOpen] = useState(false);
  useOutcomes();
  const look = actions.filter((a) => a.state !== "waiting").length;
  if (actions.length === 0 && !open) return null;
  return (
    <>
      <button
        type="button"
        data-testid="queue-badge"
        aria-label={look > 0 ? t("queue.open.look", { n: look }) : t("queue.open", { n: actions.length })}
        onClick={() => setOpen(true)}
        className={classes(
          "inline-flex min-h-control items-center gap-2 rounded-full px-4 text-sm font-medium whitespace-nowrap",
          look > 0 ? "bg-warn-soft text-warn" : "bg-accent-soft text-accent-fg",
        )}
      >
        {look > 0 ? <TriangleAlert aria-hidden className="size-4.5" /> : <CloudUpload aria-hidden className="size-4.5" />}
        {look > 0 ? t("queue.pill.look", { n: look }) : t("queue.pill", { n: actions.length })}
      </button>
      <Dialog open={open} onOpenChange={setOpen} title={t("queue.title")} description={t("queue.detail")} testId="queue">
        {actions.length === 0 ? (
          <p className="py-4 text-sm text-fg-muted">{t("queue.empty")}</p>
        ) : (
          <ul className="divide-y divide-line">{actions.map((a) => <Row key={a.key} action={a} />)}</ul>
        )}
      </Dialog>
    </>
  );
}

function Row({ action }: { action: QueuedAction }) {
  const t = useT();
  const hub = useHub();
  const clock = useClock();
  const what = useWanted()(action);
  const revoke = useRevoke();
  const named = { what, label: action.label };
  return (
    <li data-testid="queued-action" data-kind={action.kind} data-target={action.target} data-state={action.state} className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 py-3">
      <div className="min-w-0 flex-1 basis-52">
        <p className="text-sm font-medium">{what} · {action.label}</p>
        <p className="mt-1 text-xs text-fg-muted">{t("queue.since")} <RelativeTime at={clock.at(action.queuedAt)} /></p>
        <div className="mt-2"><State action={action} /></div>
        {action.tried && action.state !== "refused" && <p className="mt-1 text-xs text-fg-muted">{t("queue.tried")}</p>}
        {action.refusal?.detail && !action.refusal.takenBy && <p className="mt-1 text-xs text-fg-muted">{action.refusal.detail}</p>}
      </div>
      <div className="flex flex-wrap gap-2">
        {action.state === "waiting" && <Button icon={Undo2} aria-label={t("queue.revoke.label", named)} onClick={() => void revoke(action)}>{t("queue.revoke")}</Button>}
        {action.state === "asking" && (
          <>
            <Button icon={Trash2} aria-label={t("queue.discard.label", named)} onClick={() => void revoke(action)}>{t("queue.discard")}</Button>
            <Button kind="primary" icon={Send} aria-label={t("queue.sendNow.label", named)} onClick={() => void hub.queue.renew(action.key)}>{t("queue.sendNow")}</Button>
          </>
        )}
        {action.state === "refused" && <Button icon={Eye} aria-label={t("queue.dismiss.label", named)} onClick={() => void revoke(action)}>{t("queue.dismiss")}</Button>}
      </div>
    </li>
  );
}

function State({ action }: { action: QueuedAction }) {
  const t = useT();
  const { refusal } = action;
  if (action.state === "asking") return <Pill tone="warn" icon={Hourglass} wraps>{t("queue.asking")}</Pill>;
  if (action.state === "waiting") return <Pill tone="accent" icon={CloudUpload}>{t("queue.waiting")}</Pill>;
  return (
    <Pill tone="warn" icon={TriangleAlert} wraps>
      {refusal?.takenBy ? t("queue.taken", { name: refusal.takenBy }) : refusal?.ended ? t("queue.ended") : (refusal?.title ?? t("queue.refused"))}
    </Pill>
  );
}

/** Tells once what became of the actions when the hub was back. */
function useOutcomes(): void {
  const t = useT();
  const toast = useToast();
  const report = useCell(useHub().drained);
  const told = useRef(report);
  useEffect(() => {
    if (!report || told.current === report) return;
    told.current = report;
    const [refused] = report.refused;
    const [asking] = report.asking;
    if (report.sent.length > 0) toast({ tone: "ok", title: t("queue.sent", { n: report.sent.length }) });
    if (asking) toast({ tone: "warn", title: t("queue.asking"), detail: asking.label });
    if (refused) toast({ tone: "warn", title: refused.refusal?.takenBy ? t("queue.wasTaken", { name: refused.refusal.takenBy }) : t("queue.refused"), detail: refused.label });
  }, [report, toast, t]);
}
