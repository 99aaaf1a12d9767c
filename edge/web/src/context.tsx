import { permits, useCell, useReachOf, useTranslate, type Reach, type Session } from "@obedio/web";
import { createContext, useContext } from "react";
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
  return useReachOf(useHub().live.connection);
}

/** Writes are off while there is no way to the hub. */
export function useCanWrite(): boolean {
  return useReach().kind !== "offline";
}
