import { Button, useScrollLock } from "@obedio/web";
import { Footprints, Siren } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { CallRequest } from "../api/resources";
import { usePermits, useT } from "../context";
import { Queued } from "../queue/Queued";
import { useQueued } from "../queue/useQueued";
import { useCallActions } from "./actions";
import { Timer } from "./CallCard";
import { useOpenRequests } from "./order";
import { SoundButton } from "./SoundButton";
import { useKind } from "./words";

/** Emergencies that nobody has accepted. */
export function waitingEmergencies(calls: readonly CallRequest[]): CallRequest[] {
  return calls.filter((r) => r.priority === "emergency" && r.state === "open");
}

/**
 * The whole screen while an emergency waits. It can be accepted from here. It
 * can be put aside to work on, but stays as a red bar, and a new emergency
 * brings it back.
 */
export function EmergencyScreen() {
  const t = useT();
  const emergencies = waitingEmergencies(useOpenRequests());
  const [aside, setAside] = useState<ReadonlySet<string>>(new Set());
  const shown = emergencies.some((r) => !aside.has(r.request_id));
  const screen = useRef<HTMLDivElement>(null);
  const before = useRef<Element | null>(null);
  useScrollLock(shown);
  useEffect(() => {
    if (!shown) return;
    before.current = document.activeElement;
    screen.current?.querySelector<HTMLElement>("button")?.focus();
    return () => {
      if (before.current instanceof HTMLElement && before.current.isConnected) before.current.focus();
    };
  }, [shown]);
  if (emergencies.length === 0) return null;
  if (!shown) {
    return (
      <button
        type="button"
        data-testid="emergency-bar"
        onClick={() => setAside(new Set())}
        className="sticky top-0 z-30 flex min-h-12 w-full items-center justify-center gap-3 bg-emergency px-4 text-sm font-semibold text-on-emergency"
      >
        <Siren aria-hidden className="size-5 shrink-0" />
        <span className="truncate">{t("emergency.banner", { rooms: emergencies.map((r) => r.room_name || r.room).join(", ") })}</span>
        <span className="underline underline-offset-4">{t("emergency.show")}</span>
      </button>
    );
  }
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- keeps the focus on the screen, nothing else
    <div
      ref={screen}
      role="alert"
      data-testid="emergency"
      onKeyDown={(e) => e.key === "Tab" && keepInside(e, screen.current)}
      className="fixed inset-0 z-50 flex flex-col overflow-y-auto bg-emergency px-5 py-6 text-on-emergency"
    >
      <h2 className="flex items-center justify-center gap-3 pt-[env(safe-area-inset-top)] text-lg font-semibold">
        <Siren aria-hidden className="size-7" />
        {t("emergency.lead", { n: emergencies.length })}
      </h2>
      <ul className="m-auto flex w-full max-w-3xl flex-col gap-4 py-6">
        {emergencies.map((request) => <EmergencyCall key={request.request_id} request={request} />)}
      </ul>
      <div className="flex flex-wrap justify-center gap-3 pb-[env(safe-area-inset-bottom)]">
        <SoundButton emergency />
        <Button kind="emergencyQuiet" onClick={() => setAside(new Set(emergencies.map((r) => r.request_id)))}>{t("emergency.hide")}</Button>
      </div>
    </div>
  );
}

function EmergencyCall({ request }: { request: CallRequest }) {
  const t = useT();
  const actions = useCallActions();
  const kindOf = useKind();
  const queued = useQueued(request.request_id);
  const mayAccept = usePermits("requests.accept");
  const room = request.room_name || request.room;
  return (
    <li data-testid="emergency-call" data-request-id={request.request_id} className="flex flex-wrap items-center justify-between gap-x-8 gap-y-5 rounded-card bg-emergency-strong p-6 sm:p-8">
      <div className="min-w-0">
        <p className="text-[clamp(1.75rem,7vw,3.25rem)] leading-tight font-bold">{room}</p>
        <p className="mt-1 text-base">{[...(request.purpose === "drill" ? [t("calls.drill")] : []), kindOf(request), request.device_name || request.device_id || t("calls.byHand")].join(" · ")}</p>
        {request.note && <p className="mt-1 text-base">{t("calls.note", { note: request.note })}</p>}
        {request.notified && request.notified.watches > 0 && (
          <p className="mt-1 text-base">
            {[
              t("calls.told", request.notified),
              ...(request.notified.unreachable.length > 0 ? [t("calls.notReached", { n: request.notified.unreachable.length })] : []),
            ].join(" · ")}
          </p>
        )}
        <Timer request={request} className="[&_svg]:text-current" />
      </div>
      {queued ? <Queued action={queued} kind="emergencyQuiet" /> : mayAccept && (
        <Button
          kind="emergency"
          large
          icon={Footprints}
          busy={actions.busy(request, "accept")}
          aria-label={t("calls.acceptLabel", { room })}
          onClick={() => void actions.accept(request)}
          className="min-h-16! w-full text-lg! sm:w-auto sm:px-10!"
        >
          {actions.busy(request, "accept") ? t("calls.accepting") : t("calls.accept")}
        </Button>
      )}
    </li>
  );
}

// The pages behind are out of reach while the screen is up.
function keepInside(e: React.KeyboardEvent, screen: HTMLElement | null): void {
  const stops = [...(screen?.querySelectorAll<HTMLElement>("button:not(:disabled)") ?? [])];
  const first = stops[0];
  const last = stops.at(-1);
  if (!first || !last) return;
  if (e.shiftKey && document.activeElement === first) {
    e.preventDefault();
    last.focus();
  } else if (!e.shiftKey && document.activeElement === last) {
    e.preventDefault();
    first.focus();
  }
}
