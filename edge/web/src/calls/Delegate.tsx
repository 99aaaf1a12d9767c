import { Dialog, Mark, Notice, useCell, useFormats } from "@obedio/web";
import { CircleCheck, TriangleAlert, Users, WatchIcon } from "lucide-react";
import { useMemo } from "react";
import type { CallRequest, Serving } from "../api/resources";
import { useHub, useT } from "../context";
import { callforms } from "../messages/callforms";
import { useWhy } from "./words";

const groups = ["duty", "backup", "off"] as const;

export interface DelegateProps {
  request: CallRequest;
  me: Serving | undefined;
  busy: boolean;
  onClose: () => void;
  onDelegate: (personId: string) => void;
}

/** Chooses who is offered a call: those on duty first, and whether they can be told. */
export function Delegate({ request, me, busy, onClose, onDelegate }: DelegateProps) {
  const t = useT(callforms);
  const duty = useCell(useHub().duty).value;
  const { collator } = useFormats();
  const has = request.state === "accepted" ? request.accepted_by?.person_id : undefined;
  const people = useMemo(
    () => (duty?.crew ?? []).filter((p) => p.person_id !== me?.person_id && p.person_id !== has).sort((a, b) => collator.compare(a.name, b.name)),
    [duty, me, has, collator],
  );
  return (
    <Dialog open onOpenChange={onClose} title={t("callform.delegate", { room: request.room_name || request.room })} description={t("callform.delegate.detail")} testId="delegate">
      {people.length === 0 && <Notice testId="delegate-none" icon={Users} title={t("callform.delegate.none")} />}
      {groups.map((group) => {
        const shown = people.filter((p) => p.duty === group);
        if (shown.length === 0) return null;
        return (
          <section key={group} aria-label={t(`callform.${group}`)} className="mb-4">
            <h3 className="mb-1 text-xs text-fg-dim">{t(`callform.${group}`)}</h3>
            <ul className="flex flex-col gap-2">
              {shown.map((p) => (
                <li key={p.person_id}>
                  <button
                    type="button"
                    disabled={busy}
                    aria-label={t("callform.offer", { name: p.name })}
                    onClick={() => onDelegate(p.person_id)}
                    className="flex min-h-13 w-full items-center justify-between gap-4 rounded-control border border-edge px-4 text-left text-sm hover:bg-ink-800 disabled:opacity-60"
                  >
                    <span className="min-w-0 truncate font-medium">{p.name}</span>
                    <Reach person={p} />
                  </button>
                </li>
              ))}
            </ul>
          </section>
        );
      })}
    </Dialog>
  );
}

function Reach({ person: { watch } }: { person: Serving }) {
  const t = useT(callforms);
  const why = useWhy();
  if (!watch) return <Mark tone="idle" icon={WatchIcon} className="text-xs">{t("callform.reach.no")}</Mark>;
  if (watch.reachable) return <Mark tone="ok" icon={CircleCheck} className="text-xs">{t("callform.reach.yes")}</Mark>;
  return <Mark tone="warn" icon={TriangleAlert} className="text-xs">{t("callform.reach.lost", { why: why(watch.why ?? "") })}</Mark>;
}
