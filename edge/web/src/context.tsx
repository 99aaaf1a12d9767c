import {
  permits, reachOf, useCell, useClock, useTicking, useTranslate, type Reach, type Session,
} from "@obedio/web";
import { createContext, useContext, useMemo } from "react";
import type { System } from "./api/resources";
import type { Hub } from "./hub";
import type { HubMessages } from "./messages/en";

const HubContext = createContext<Hub | undefined>(undefined);
export const HubProvider = HubContext.Provider;

export function useHub(): Hub {
  const hub = useContext(HubContext);
  if (!hub) throw new Error("useHub: no HubProvider above");
  return hub;
}

const SessionContext = createContext<Session | undefined>(undefined);
export const SessionProvider = SessionContext.Provider;

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("useSession: nobody is signed in");
  return session;
}

export function usePermits(permission: string): boolean {
  return permits(useSession(), permission);
}

export function useT() {
  return useTranslate<HubMessages>();
}

export function useSystem(): System | undefined {
  return useCell(useHub().system);
}

/** Whether the page is live, stale or offline, in the hub's time. */
export function useReach(): Reach {
  const hub = useHub();
  const clock = useClock();
  const connection = useCell(hub.live.connection);
  const local = () => Date.now();
  const kind = useTicking(() => reachOf(connection, local()).kind);
  return useMemo(() => {
    const reach = reachOf(connection, Date.now());
    if (reach.kind === "offline") return { kind: "offline", since: clock.at(reach.since) };
    if (reach.kind === "stale") return { kind: "stale", asOf: reach.asOf === undefined ? undefined : clock.at(reach.asOf) };
    return reach;
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- kind stands for the time that has gone by
  }, [connection, clock, kind]);
}

/** Writes are off while there is no way to the hub. */
export function useCanWrite(): boolean {
  return useReach().kind !== "offline";
}
