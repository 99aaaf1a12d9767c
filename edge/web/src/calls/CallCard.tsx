import { Button, IconButton, Pill, classes, priorityLook, lookOf, spanOf, useCell, useItem, useStopwatch } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleSlash, Clock, Footprints, GraduationCap, History, ListTree, MessageSquareText, Repeat2, UserRoundPlus, WatchIcon, X, type LucideIcon } from "lucide-react";
import { Suspense, lazy, memo, useState, type ReactNode } from "react";
import type { CallRequest } from "../api/resources";
import { useHub, usePermits, useSession, useT } from "../context";
import { Queued } from "../queue/Queued";
import { useQueued } from "../queue/useQueued";
import { useCallActions } from "./actions";
import { CancelCall } from "./CancelCall";
import { OfferRow, useOffer } from "./Offer";
import { Told } from "./Told";
import { personOf, useKind } from "./words";

const Delegate = lazy(() => import("./Delegate").then((m) => ({ default: m.Delegate })));

/** One call as a big card: where, how urgent, how long, and the one thing to do. */
export const CallCard = memo(function CallCard({ id }: { id: string }) {
  const request = useItem(useHub().requests, id);
  return request ? <Body request={request} /> : null;
});

const frames: Record<string, string> = {
  emergency: "border-2 border-emergency ring-4 ring-emergency/25",
  urgent: "border-2 border-warn ring-4 ring-warn/10",
  normal: "border border-accent",
};

function Body({ request }: { request: CallRequest }) {
  const t = useT();
  const actions = useCallActions();
  const queued = useQueued(request.request_id);
  const mayAccept = usePermits("requests.accept");
  const mayComplete = usePermits("requests.complete");
  const mayCancel = usePermits("requests.cancel");
  const mayDelegate = usePermits("requests.delegate");
  const [cancelling, setCancelling] = useState(false);
  const [delegating, setDelegating] = useState(false);
  const kindOf = useKind();
  const { user } = useSession();
  const me = personOf(useCell(useHub().duty).value, user.user_id);
  const offer = useOffer(request, me?.person_id);
  const declined = me !== undefined && (request.declined ?? []).some((by) => by.person_id === me.person_id);
  const waiting = request.state === "open";
  const room = request.room_name || request.room;
  return (
    <article
      data-testid="call"
      data-request-id={request.request_id}
      data-state={request.state}
      data-priority={request.priority}
      data-purpose={request.purpose}
      aria-label={room}
      className={classes(
        "flex h-full flex-col rounded-card bg-ink-850 p-5",
        waiting ? (frames[request.priority] ?? frames["normal"]) : "border border-line",
      )}
    >
      <header className="flex items-start justify-between gap-3">
        <div className="min-w-0">
          <h3 className="text-lg font-semibold">{room}</h3>
          <p className="text-sm text-fg-muted">
            {[kindOf(request), request.device_name || request.device_id || t("calls.byHand")].join(" · ")}
          </p>
        </div>
        <div className="flex shrink-0 items-center gap-1">
          <StatePill request={request} />
          {mayCancel && !queued && (
            <IconButton icon={X} label={t("calls.cancelLabel", { room })} onClick={() => setCancelling(true)} className="-my-2 -mr-3" />
          )}
        </div>
      </header>
      <div className="mt-3 flex flex-wrap items-center gap-x-4 gap-y-1 text-xs text-fg-muted">
        {request.presses > 1 && <Note icon={<Repeat2 aria-hidden className="size-4" />} label={t("calls.timesLabel", { n: request.presses })}>{t("calls.times", { n: request.presses })}</Note>}
        {request.late_by_ms !== undefined && request.late_by_ms > 0 && (
          <Note tone="text-warn" icon={<History aria-hidden className="size-4" />} label={t("calls.lateLabel", { span: spanOf(request.late_by_ms) })}>
            {t("calls.late", { span: spanOf(request.late_by_ms) })}
          </Note>
        )}
        {request.purpose === "drill" && <Note tone="text-accent-fg" icon={<GraduationCap aria-hidden className="size-4" />} label={t("calls.drill")}>{t("calls.drill")}</Note>}
        {request.reopens && <Note icon={<History aria-hidden className="size-4" />} label={t("calls.reopened")}>{t("calls.reopened")}</Note>}
        {declined && waiting && <Note icon={<CircleSlash aria-hidden className="size-4" />} label={t("calls.declined")}>{t("calls.declined")}</Note>}
        {waiting && <Told request={request} icon={<WatchIcon aria-hidden className="size-4" />} />}
      </div>
      {request.note && (
        <p className="mt-2 flex gap-1.5 text-sm"><MessageSquareText aria-hidden className="mt-0.5 size-4 shrink-0 text-fg-dim" />{t("calls.note", { note: request.note })}</p>
      )}
      {offer && <OfferRow request={request} {...offer} actions={actions} />}
      <footer className="mt-auto flex flex-wrap items-end justify-between gap-3 pt-4">
        <Timer request={request} />
        {queued ? <Queued action={queued} /> : waiting
          ? mayAccept && (
              <Button
                kind="primary"
                large
                icon={Footprints}
                className="grow sm:grow-0"
                busy={actions.busy(request, "accept")}
                aria-label={t("calls.acceptLabel", { room })}
                onClick={() => void actions.accept(request)}
              >
                {actions.busy(request, "accept") ? t("calls.accepting") : t("calls.accept")}
              </Button>
            )
          : mayComplete && (
              <Button
                large
                icon={CircleCheck}
                className="grow sm:grow-0"
                busy={actions.busy(request, "complete")}
                aria-label={t("calls.completeLabel", { room })}
                onClick={() => void actions.complete(request)}
              >
                {actions.busy(request, "complete") ? t("calls.completing") : t("calls.complete")}
              </Button>
            )}
      </footer>
      <div className="-mx-2 mt-3 -mb-3 flex flex-wrap border-t border-line pt-1">
        {mayDelegate && !queued && (
          <Small icon={UserRoundPlus} label={t("calls.handOnLabel", { room })} onClick={() => setDelegating(true)}>{t("calls.handOn")}</Small>
        )}
        {mayAccept && waiting && !queued && me && !declined && !offer?.mine && (
          <Small icon={CircleSlash} label={t("calls.declineLabel", { room })} onClick={() => void actions.decline(request)}>{t("calls.decline")}</Small>
        )}
        <Link to="/mqtt/requests/$requestId" params={{ requestId: request.request_id }} aria-label={t("calls.storyLabel", { room })} className={smallClass}>
          <ListTree aria-hidden className="size-4" />
          {t("calls.story")}
        </Link>
      </div>
      {delegating && (
        <Suspense>
          <Delegate
            request={request}
            me={me}
            busy={actions.busy(request, "delegate")}
            onClose={() => setDelegating(false)}
            onDelegate={(person) => void actions.delegate(request, person).then((done) => done && setDelegating(false))}
          />
        </Suspense>
      )}
      <CancelCall
        request={request}
        open={cancelling}
        busy={actions.busy(request, "cancel")}
        onOpenChange={setCancelling}
        onCancel={(reason, note) => void actions.cancel(request, reason, note).then((done) => done && setCancelling(false))}
      />
    </article>
  );
}

const smallClass = "inline-flex min-h-control items-center gap-1.5 rounded-control px-2 text-sm text-fg-muted hover:bg-ink-800 hover:text-fg";

function Small({ icon: Icon, label, onClick, children }: { icon: LucideIcon; label: string; onClick: () => void; children: ReactNode }) {
  return (
    <button type="button" aria-label={label} onClick={onClick} className={smallClass}>
      <Icon aria-hidden className="size-4" />
      {children}
    </button>
  );
}

function Note({ icon, label, tone, children }: { icon: ReactNode; label: string; tone?: string; children: ReactNode }) {
  return (
    <span title={label} className={classes("inline-flex items-center gap-1.5 font-medium", tone)}>
      {icon}
      <span aria-hidden>{children}</span>
      <span className="sr-only">{label}</span>
    </span>
  );
}

export function StatePill({ request }: { request: CallRequest }) {
  const t = useT();
  const { user } = useSession();
  if (request.state === "accepted") {
    const mine = request.accepted_by?.kind === "user" && request.accepted_by.id === user.user_id;
    return (
      <Pill tone="ok" icon={CircleCheck} className="max-w-44">
        {mine ? t("calls.withYou") : t("calls.with", { name: request.accepted_by?.name || request.accepted_by?.id || t("calls.somebody") })}
      </Pill>
    );
  }
  const look = lookOf(priorityLook, request.priority);
  const known = ["normal", "urgent", "emergency"].includes(request.priority);
  return <Pill tone={look.tone} icon={look.icon}>{known ? t(`priority.${request.priority}`) : request.priority}</Pill>;
}

/** Counts up: since the call was opened, or since somebody took it. */
export function Timer({ request, className }: { request: CallRequest; className?: string }) {
  const t = useT();
  const accepted = request.state === "accepted" && request.accepted_at !== undefined;
  const time = useStopwatch(accepted ? request.accepted_at! : request.opened_at);
  return (
    <span role="timer" aria-label={accepted ? t("calls.acceptedTime") : t("calls.waitingTime")} className={classes("inline-flex min-h-13 items-center gap-2 text-xl font-semibold tabular-nums", className)}>
      <Clock aria-hidden className="size-5 text-fg-dim" />
      {time}
    </span>
  );
}
