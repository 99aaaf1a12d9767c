import { permits, useCell, useReachOf, useSentences, type AnyTexts, type Reach, type Session, type Translate, type WebMessages } from "@obedio/web";
import { createContext, useContext } from "react";
import type { System } from "./api/resources";
import type { Hub } from "./hub";
import { hub, type HubMessages } from "./messages/hub";

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

/** The sentences of the first load; a page that comes later names its area's, and has both. */
export function useT<A extends AnyTexts = typeof hub>(area?: A): Translate<A["en"] & HubMessages & WebMessages> {
  return useSentences(area ?? hub) as Translate<A["en"] & HubMessages & WebMessages>;
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
