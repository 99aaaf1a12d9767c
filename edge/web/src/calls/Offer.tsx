import { Button, Pill, stopwatch, useTicking } from "@obedio/web";
import { Footprints, Handshake, Undo2, X } from "lucide-react";
import type { CallRequest } from "../api/resources";
import { usePermits, useSession, useT } from "../context";
import type { useCallActions } from "./actions";

/** The offer of a call that still stands, and what it is to the person at this screen. */
export function useOffer(request: CallRequest, me: string | undefined): { mine: boolean; own: boolean } | undefined {
  const { user } = useSession();
  const { offer } = request;
  const ends = offer ? Date.parse(offer.expires_at) : 0;
  const stands = useTicking((now) => now < ends);
  if (!offer || !stands) return undefined;
  return { mine: me !== undefined && offer.person_id === me, own: offer.by.kind === "user" && offer.by.id === user.user_id };
}

/** To whom a call is offered, for how long still, and what can be done about that. */
export function OfferRow({ request, mine, own, actions }: { request: CallRequest; mine: boolean; own: boolean; actions: ReturnType<typeof useCallActions> }) {
  const t = useT();
  const mayAccept = usePermits("requests.accept");
  const offer = request.offer!;
  const ends = Date.parse(offer.expires_at);
  const left = useTicking((now) => stopwatch(ends - now));
  const room = request.room_name || request.room;
  const by = offer.by.name || offer.by.id;
  return (
    <div data-testid="offer" className="mt-3 flex flex-wrap items-center justify-between gap-3 rounded-control bg-ink-800 px-3 py-2">
      <Pill tone="accent" icon={Handshake} wraps className="bg-transparent px-0!">
        <span className="tabular-nums">{mine ? t("calls.offeredYou", { name: by, left }) : t("calls.offered", { name: offer.name || offer.person_id, left })}</span>
      </Pill>
      {mayAccept && mine && (
        <span className="flex flex-wrap gap-2">
          <Button icon={X} aria-label={t("calls.declineOfferLabel", { room })} busy={actions.busy(request, "decline")} onClick={() => void actions.decline(request)}>{t("calls.declineOffer")}</Button>
          {request.state === "accepted" && (
            <Button kind="primary" icon={Footprints} aria-label={t("calls.acceptLabel", { room })} busy={actions.busy(request, "accept")} onClick={() => void actions.accept(request)}>{t("calls.accept")}</Button>
          )}
        </span>
      )}
      {mayAccept && own && !mine && (
        <Button icon={Undo2} aria-label={t("calls.takeBackLabel", { room })} busy={actions.busy(request, "decline")} onClick={() => void actions.decline(request)}>{t("calls.takeBack")}</Button>
      )}
    </div>
  );
}
