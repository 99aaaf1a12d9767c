import { Dialog } from "@obedio/web";
import { TriangleAlert } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { CallRequest } from "../api/resources";
import { useT } from "../context";

/** Who was told of a call, and who could not be reached and why. */
export function Told({ request, icon }: { request: CallRequest; icon: ReactNode }) {
  const t = useT();
  const [open, setOpen] = useState(false);
  const room = request.room_name || request.room;
  if (!request.notified) return null;
  const { watches, reached, unreachable } = request.notified;
  if (watches === 0) {
    return <span className="inline-flex items-center gap-1.5 font-medium text-bad"><TriangleAlert aria-hidden className="size-4" />{t("calls.nobodyTold")}</span>;
  }
  const told = <span className="inline-flex items-center gap-1.5">{icon}{t("calls.told", { reached, watches })}</span>;
  if (unreachable.length === 0) return told;
  return (
    <>
      {told}
      <button type="button" onClick={() => setOpen(true)} className="-my-3 inline-flex min-h-control items-center gap-1.5 rounded-md font-medium text-warn underline decoration-dotted underline-offset-4">
        <TriangleAlert aria-hidden className="size-4" />
        {t("calls.notReached", { n: unreachable.length })}
      </button>
      <Dialog open={open} onOpenChange={setOpen} title={t("calls.notReachedTitle", { room })} testId="not-reached">
        <ul className="flex flex-col divide-y divide-line">
          {unreachable.map((u) => (
            <li key={u.device_id} className="flex justify-between gap-4 py-3 text-sm">
              <span className="font-medium">{u.device_id}</span>
              <span className="text-right text-fg-muted">{u.why.replaceAll("_", " ")}</span>
            </li>
          ))}
        </ul>
      </Dialog>
    </>
  );
}
