import { Button, useToast } from "@obedio/web";
import { CloudUpload, Undo2 } from "lucide-react";
import { useHub, useT } from "../context";
import type { QueuedAction } from "./action";

/** The words for what was wanted. */
export function useWanted(): (action: QueuedAction) => string {
  const t = useT();
  return (action) => (action.kind === "command" ? t("queue.command", { name: action.name ?? "" }) : t(`queue.${action.kind}`));
}

/** Takes an action back; says so when it is too late. */
export function useRevoke(): (action: QueuedAction) => Promise<void> {
  const t = useT();
  const hub = useHub();
  const toast = useToast();
  return async (action) => {
    if (!(await hub.queue.revoke(action.key))) toast({ tone: "warn", title: t("queue.tooLate"), detail: action.label });
  };
}

/** In the place of a card's button: what waits for the hub, and the way back. */
export function Queued({ action, kind }: { action: QueuedAction; kind?: "emergencyQuiet" }) {
  const t = useT();
  const wanted = useWanted()(action);
  const revoke = useRevoke();
  return (
    <div data-testid="queued" className="flex flex-wrap items-center gap-x-3 gap-y-2">
      <p role="status" className="flex items-center gap-2 text-sm font-medium">
        <CloudUpload aria-hidden className="size-5" />
        {t("queue.onCard")} · {wanted}
      </p>
      <Button icon={Undo2} aria-label={t("queue.revoke.label", { what: wanted, label: action.label })} onClick={() => void revoke(action)} {...(kind ? { kind } : {})}>
        {t("queue.revoke")}
      </Button>
    </div>
  );
}
