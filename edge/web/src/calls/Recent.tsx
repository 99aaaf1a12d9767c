import { Button, Mark, Section, lookOf, requestLook, stopwatch, useItem, useKeys, useWords, RelativeTime, type Collection } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { ChevronRight, GraduationCap, RotateCcw } from "lucide-react";
import { Suspense, lazy, useState } from "react";
import type { CallRequest } from "../api/resources";
import { useCanWrite, useHub, usePermits, useT } from "../context";
import { useKind } from "./words";

const Reopen = lazy(() => import("./Reopen").then((m) => ({ default: m.Reopen })));

/** How many are shown at first. */
const few = 6;

const endedIds = (requests: Collection<CallRequest>) =>
  [...requests.values()]
    .filter((r) => r.ended_at !== undefined)
    .sort((a, b) => b.ended_at!.localeCompare(a.ended_at!))
    .slice(0, few)
    .map((r) => r.request_id);

/** The calls that ended last, each a link to all that happened to it. */
export function RecentCalls() {
  const t = useT();
  const ids = useKeys(useHub().requests, endedIds);
  const [reopening, setReopening] = useState<CallRequest>();
  return (
    <Section
      testId="recent-calls"
      title={t("calls.recent")}
      actions={
        <Link to="/mqtt/requests/statistics" className="inline-flex min-h-control items-center gap-1 rounded-control px-2 text-sm text-fg-muted hover:text-fg">
          {t("calls.times.link")}
          <ChevronRight aria-hidden className="size-4" />
        </Link>
      }
    >
      {ids.length === 0 ? (
        <p className="px-4 py-5 text-sm text-fg-muted">{t("calls.recent.none")}</p>
      ) : (
        <ul className="divide-y divide-line">{ids.map((id) => <Row key={id} id={id} onReopen={setReopening} />)}</ul>
      )}
      {reopening && <Suspense><Reopen request={reopening} onClose={() => setReopening(undefined)} /></Suspense>}
    </Section>
  );
}

function Row({ id, onReopen }: { id: string; onReopen: (request: CallRequest) => void }) {
  const t = useT();
  const words = useWords();
  const kindOf = useKind();
  const canWrite = useCanWrite();
  const mayOpen = usePermits("requests.write");
  const request = useItem(useHub().requests, id);
  if (!request) return null;
  const room = request.room_name || request.room;
  const look = lookOf(requestLook, request.state);
  const who = request.ended_by?.name;
  return (
    <li data-request-id={id} className="flex items-center gap-2 pr-2 hover:bg-ink-800/60">
      <Link to="/mqtt/requests/$requestId" params={{ requestId: id }} className="reveals-time flex min-h-14 min-w-0 flex-1 flex-wrap items-center gap-x-4 gap-y-0.5 px-4 py-2 text-sm -outline-offset-2!">
        <span className="min-w-0 flex-1 basis-40">
          <span className="block truncate font-medium">{room}</span>
          <span className="block truncate text-xs text-fg-muted">
            {[kindOf(request), ...(request.presses > 1 ? [t("calls.times", { n: request.presses })] : []), t("calls.recent.waited", { time: stopwatch(request.waiting_ms) })].join(" · ")}
          </span>
        </span>
        {request.purpose === "drill" && <Mark tone="accent" icon={GraduationCap} className="text-xs">{t("calls.drill")}</Mark>}
        <span className="flex flex-col text-xs sm:items-end">
          <Mark tone={look.tone} icon={look.icon}>{words.request(request.state)}</Mark>
          <span className="text-fg-dim">
            <RelativeTime at={request.ended_at} focusable={false} />
            {who && <> {t("calls.recent.by", { name: who })}</>}
          </span>
        </span>
      </Link>
      {mayOpen && (
        <Button icon={RotateCcw} kind="quiet" disabled={!canWrite} aria-label={t("calls.reopenLabel", { room })} title={t("calls.reopenLabel", { room })} className="px-3!" onClick={() => onReopen(request)}>
          <span className="hidden sm:inline">{t("calls.reopen")}</span>
        </Button>
      )}
    </li>
  );
}
