import { permits, useCell, useReachOf, useSentences, type AnyTexts, type Reach, type Session, type Translate, type WebMessages } from "@obedio/web";
import { createContext, useContext, useEffect, useState } from "react";
import type { System } from "./api/resources";
import type { FleetConsole } from "./fleet-console";
import { consoleTexts } from "./messages/console";
import type { ConsoleMessages } from "./messages/en";
import type { SiteData } from "./site-data";

const ConsoleContext = createContext<FleetConsole | undefined>(undefined);
export const ConsoleProvider = ConsoleContext.Provider;

export function useConsole(): FleetConsole {
  const console = useContext(ConsoleContext);
  if (!console) throw new Error("useConsole: no ConsoleProvider above");
  return console;
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
export function useT<A extends AnyTexts = typeof consoleTexts>(area?: A): Translate<A["en"] & ConsoleMessages & WebMessages> {
  return useSentences(area ?? consoleTexts) as Translate<A["en"] & ConsoleMessages & WebMessages>;
}

export function useSystem(): System | undefined {
  return useCell(useConsole().system);
}

/** Whether the page is live, stale or offline towards the console itself, in the console's time. */
export function useReach(): Reach {
  return useReachOf(useConsole().live.connection);
}

export function useCanWrite(): boolean {
  return useReach().kind !== "offline";
}

/** The details of a site while the component is there. */
export function useSiteData(siteId: string): SiteData | undefined {
  const console = useConsole();
  const [data, setData] = useState<SiteData>();
  useEffect(() => {
    const followed = console.followSite(siteId);
    setData(followed.data);
    return followed.leave;
  }, [console, siteId]);
  return data?.siteId === siteId ? data : undefined;
}
