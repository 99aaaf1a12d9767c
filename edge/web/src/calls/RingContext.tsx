import { useCell } from "@obedio/web";
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import type { CallRequest } from "../api/resources";
import { useHub, useSession } from "../context";
import { useOpenRequests } from "./order";
import { Ringer, type SoundState, type Urgency } from "./ringer";
import { personOf } from "./words";

interface Ring {
  /** How many waiting calls ring on this screen now. */
  ringing: number;
  /** How many waiting calls are silenced on this screen. */
  silenced: number;
  sound: SoundState;
  /** Silences what rings now, on this screen; a call after that rings again. It accepts nothing. */
  silence: () => void;
  unlock: () => void;
}

const RingContext = createContext<Ring>({ ringing: 0, silenced: 0, sound: "locked", silence: () => {}, unlock: () => {} });

export function useRing(): Ring {
  return useContext(RingContext);
}

/** What is silenced of a call: an offer of it rings anew. Empty for a call that does not ring. */
function ringOf(r: CallRequest, me: string | undefined): string {
  if (r.offer && me !== undefined && r.offer.person_id === me) return `${r.request_id} ${r.offer.at}`;
  // A quiet room rings nobody; emergencies are never quiet.
  return r.state === "open" && !r.notified?.quiet ? r.request_id : "";
}

/** Which calls ring: those nobody has accepted or that are offered to `me`, if nobody has silenced them here. */
export function ringingCalls(
  calls: readonly CallRequest[], silenced: ReadonlySet<string>, me?: string,
): { urgency: Urgency | undefined; count: number } {
  const waiting = calls.filter((r) => {
    const ring = ringOf(r, me);
    return ring !== "" && !silenced.has(ring);
  });
  const has = (priority: Urgency) => waiting.some((r) => r.priority === priority);
  const urgency = has("emergency") ? "emergency" : has("urgent") ? "urgent" : waiting.length > 0 ? "normal" : undefined;
  return { urgency, count: waiting.length };
}

export function RingProvider({ children }: { children: ReactNode }) {
  const calls = useOpenRequests();
  const [silenced, setSilenced] = useState<ReadonlySet<string>>(new Set());
  const [sound, setSound] = useState<SoundState>("locked");
  const [ringer, setRinger] = useState<Ringer>();
  const { user } = useSession();
  const me = personOf(useCell(useHub().duty).value, user.user_id)?.person_id;
  const { urgency, count } = useMemo(() => ringingCalls(calls, silenced, me), [calls, silenced, me]);

  useEffect(() => {
    const made = new Ringer(setSound);
    setRinger(made);
    const unlock = () => void made.unlock();
    addEventListener("pointerdown", unlock);
    addEventListener("keydown", unlock);
    return () => {
      removeEventListener("pointerdown", unlock);
      removeEventListener("keydown", unlock);
      made.close();
    };
  }, []);
  useEffect(() => ringer?.ring(urgency), [ringer, urgency]);

  const rings = calls.map((r) => ringOf(r, me)).filter((ring) => ring !== "");
  const silence = useCallback(() => {
    setSilenced(new Set(calls.map((r) => ringOf(r, me)).filter((ring) => ring !== "")));
  }, [calls, me]);
  const unlock = useCallback(() => void ringer?.unlock(), [ringer]);
  const value = useMemo(
    () => ({ ringing: count, silenced: rings.length - count, sound, silence, unlock }),
    [count, rings.length, sound, silence, unlock],
  );
  return <RingContext value={value}>{children}</RingContext>;
}
