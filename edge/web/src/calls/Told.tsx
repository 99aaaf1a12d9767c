import { Dialog, useTicking } from "@obedio/web";
import { BellOff, CircleCheck, MoveRight, TriangleAlert } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { CallRequest } from "../api/resources";
import { useT } from "../context";
import { chainOf, useWhy } from "./words";

/** Milliseconds in which the hub has had no time yet to tell anybody. */
const telling = 3000;

/** Who was told of a call, how far it has escalated, and who could not be reached and why. */
export function Told({ request, icon }: { request: CallRequest; icon: ReactNode }) {
  const t = useT();
  const [open, setOpen] = useState(false);
  const opened = Date.parse(request.opened_at);
  const fresh = useTicking((now) => now - opened < telling);
  if (!request.notified) return null;
  const { watches, reached, unreachable, quiet } = request.notified;
  if (quiet) {
    return <span className="inline-flex items-center gap-1.5 font-medium text-fg"><BellOff aria-hidden className="size-4" />{t("calls.quietRoom")}</span>;
  }
  if (watches === 0 && unreachable.length === 0) {
    return (
      <>
        <Chain request={request} />
        {!fresh && <span className="inline-flex items-center gap-1.5 font-medium text-bad"><TriangleAlert aria-hidden className="size-4" />{t("calls.nobodyTold")}</span>}
      </>
    );
  }
  return (
    <>
      <Chain request={request} />
      <button type="button" onClick={() => setOpen(true)} className="-my-2 inline-flex min-h-control flex-wrap items-center gap-x-4 gap-y-1 rounded-md text-left underline decoration-dotted underline-offset-4">
        {watches > 0 && <span className="inline-flex items-center gap-1.5">{icon}{t("calls.told", { reached, watches })}</span>}
        {unreachable.length > 0 && (
          <span className="inline-flex items-center gap-1.5 font-medium text-warn">
            <TriangleAlert aria-hidden className="size-4" />
            {t("calls.notReached", { n: unreachable.length })}
          </span>
        )}
      </button>
      <WhoKnows request={request} open={open} onOpenChange={setOpen} />
    </>
  );
}

/** "Told: on duty → backup". */
export function Chain({ request }: { request: Pick<CallRequest, "level" | "told_to"> }) {
  const t = useT();
  const chain = chainOf(request);
  if (chain.length === 0) return null;
  return (
    <span data-testid="escalation" data-level={request.level} className="inline-flex flex-wrap items-center gap-1">
      {chain.map((to, i) => {
        const word = to ? t(`calls.to.${to}`) : t("calls.chain.before");
        return (
          <span key={to ?? i} className="inline-flex items-center gap-1 whitespace-nowrap">
            {i > 0 && <MoveRight aria-hidden className="size-3.5 text-fg-dim" />}
            {i === 0 ? t("calls.chain", { to: word }) : word}
          </span>
        );
      })}
    </span>
  );
}

function WhoKnows({ request, open, onOpenChange }: { request: CallRequest; open: boolean; onOpenChange: (open: boolean) => void }) {
  const t = useT();
  const why = useWhy();
  const { told = [], unreachable = [] } = request.notified ?? {};
  const nameOf = (who: { name?: string; device_id?: string }) => who.name || who.device_id || t("calls.notReached.nobody");
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={t("calls.who", { room: request.room_name || request.room })} testId="not-reached">
      {unreachable.length > 0 && (
        <>
          <h3 className="flex items-center gap-2 text-sm font-medium text-warn"><TriangleAlert aria-hidden className="size-4" />{t("calls.who.not")}</h3>
          <ul className="mb-4 flex flex-col divide-y divide-line">
            {unreachable.map((u) => (
              <li key={`${u.person_id} ${u.device_id}`} className="flex justify-between gap-4 py-3 text-sm">
                <span className="min-w-0"><span className="font-medium">{nameOf(u)}</span>{u.name && u.device_id && <span className="block text-xs text-fg-dim">{u.device_id}</span>}</span>
                <span className="text-right text-fg-muted">{why(u.why)}</span>
              </li>
            ))}
          </ul>
        </>
      )}
      <h3 className="flex items-center gap-2 text-sm font-medium"><CircleCheck aria-hidden className="size-4 text-ok" />{t("calls.who.told")}</h3>
      <ul className="flex flex-col divide-y divide-line">
        {told.length === 0 && <li className="py-3 text-sm text-fg-muted">{t("calls.who.none")}</li>}
        {told.map((w) => (
          <li key={w.device_id} className="flex justify-between gap-4 py-3 text-sm">
            <span className="font-medium">{nameOf(w)}</span>
            {w.name && <span className="text-right text-xs text-fg-dim">{w.device_id}</span>}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
