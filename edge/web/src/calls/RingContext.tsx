import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import type { CallRequest } from "../api/resources";
import { useOpenRequests } from "./order";
import { Ringer, type SoundState, type Urgency } from "./ringer";

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

/** Which calls ring: those nobody has accepted and nobody has silenced here. */
export function ringingCalls(calls: readonly CallRequest[], silenced: ReadonlySet<string>): { urgency: Urgency | undefined; count: number } {
  const waiting = calls.filter((r) => r.state === "open" && !silenced.has(r.request_id));
  const has = (priority: Urgency) => waiting.some((r) => r.priority === priority);
  const urgency = has("emergency") ? "emergency" : has("urgent") ? "urgent" : waiting.length > 0 ? "normal" : undefined;
  return { urgency, count: waiting.length };
}

export function RingProvider({ children }: { children: ReactNode }) {
  const calls = useOpenRequests();
  const [silenced, setSilenced] = useState<ReadonlySet<string>>(new Set());
  const [sound, setSound] = useState<SoundState>("locked");
  const [ringer, setRinger] = useState<Ringer>();
  const { urgency, count } = useMemo(() => ringingCalls(calls, silenced), [calls, silenced]);

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

  const waiting = calls.filter((r) => r.state === "open");
  const silence = useCallback(() => {
    setSilenced(new Set(calls.filter((r) => r.state === "open").map((r) => r.request_id)));
  }, [calls]);
  const unlock = useCallback(() => void ringer?.unlock(), [ringer]);
  const value = useMemo(
    () => ({ ringing: count, silenced: waiting.length - count, sound, silence, unlock }),
    [count, waiting.length, sound, silence, unlock],
  );
  return <RingContext value={value}>{children}</RingContext>;
}
