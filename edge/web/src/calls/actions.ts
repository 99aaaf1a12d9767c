import { ApiError, useErrorText, useToast } from "@obedio/web";
import { useCallback, useState } from "react";
import type { CallRequest, CancelReason } from "../api/resources";
import { useHub, useT } from "../context";
import { requestIn, type Outcome } from "../hub";

export type Step = "accept" | "complete" | "cancel" | "delegate" | "decline";

/**
 * The steps of a request with what must be said when it does not work: the
 * one who lost the race is told who won.
 */
export function useCallActions() {
  const hub = useHub();
  const t = useT();
  const toast = useToast();
  const errorText = useErrorText();
  const [busy, setBusy] = useState<{ id: string; step: Step }>();

  const run = useCallback(
    async (request: CallRequest, step: Step, work: () => Promise<Outcome>): Promise<boolean> => {
      setBusy({ id: request.request_id, step });
      try {
        if ((await work()) === "queued") toast({ tone: "warn", title: t("queue.queued"), detail: request.room_name });
        return true;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        const now = error.conflict ? requestIn(error) : undefined;
        if (!now) toast({ tone: "bad", title: t("calls.failed"), detail: errorText(error) });
        else if (now.state === "accepted") {
          toast({ tone: "accent", title: t("calls.conflict", { name: now.accepted_by?.name || t("calls.somebody") }), detail: now.room_name });
        } else toast({ tone: "accent", title: t(now.state === "open" ? "calls.conflict.changed" : "calls.conflict.ended"), detail: now.room_name });
        return false;
      } finally {
        setBusy(undefined);
      }
    },
    [t, toast, errorText],
  );
  return {
    busy: (request: CallRequest, step: Step) => busy?.id === request.request_id && busy.step === step,
    accept: (request: CallRequest) => run(request, "accept", () => hub.accept(request)),
    complete: (request: CallRequest) => run(request, "complete", () => hub.complete(request)),
    delegate: (request: CallRequest, personId: string) => run(request, "delegate", () => hub.delegate(request, personId)),
    decline: (request: CallRequest) => run(request, "decline", () => hub.decline(request)),
    cancel: (request: CallRequest, reason: CancelReason, note: string) => run(request, "cancel", () => hub.cancel(request, reason, note)),
  };
}
