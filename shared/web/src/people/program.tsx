import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import type { ApiClient } from "../api/client";
import type { Session } from "../auth/session";
import { useSentences } from "../i18n/context";
import type { Batcher } from "../live/batch";
import { useCell } from "../live/hooks";
import type { Collection } from "../live/collection";
import type { Reach } from "../ui/view-state";
import { peopleTexts } from "./texts";
import { People } from "./people";
import type { NamedSite, Role } from "./types";

/** The sites that the program knows, as far as a list needs them; a Collection of sites is one. */
export type NamedSites = Pick<Collection<NamedSite>, "get" | "values" | "version" | "subscribe">;

/** What the pages about people need to know of the program that they are in. */
export interface Program {
  kind: "hub" | "console";
  api: ApiClient;
  batcher: Batcher;
  session: Session;
  reach: Reach;
  /** Tries the connection again, for a person who asks. */
  retry: () => void;
  /** The sites that a role can be bound to. */
  sites?: NamedSites;
  signOut: () => Promise<void>;
}

interface Held {
  program: Program;
  people: People;
}

const ProgramContext = createContext<Held | undefined>(undefined);

/** Holds the lists of the pages about people, and reads them when they open and after the line was lost. */
export function PeopleProvider({ program, children }: { program: Program; children: ReactNode }) {
  const { api, batcher, session } = program;
  // Another session is another page.
  const [people] = useState(() => new People(api, batcher, (permission) => session.permissions.includes(permission)));
  const live = program.reach.kind === "live";
  useEffect(() => {
    if (live) people.load();
  }, [live, people]);
  const value = useMemo(() => ({ program, people }), [program, people]);
  return <ProgramContext value={value}>{children}</ProgramContext>;
}

function useHeld(): Held {
  const held = useContext(ProgramContext);
  if (!held) throw new Error("useProgram: no PeopleProvider above");
  return held;
}

export const useProgram = (): Program => useHeld().program;
export const usePeople = (): People => useHeld().people;
export const usePeopleT = () => useSentences(peopleTexts);

export function useMay(permission: string): boolean {
  return useProgram().session.permissions.includes(permission);
}

/** Writes are off while there is no way to the program. */
export function useCanWrite(): boolean {
  return useProgram().reach.kind !== "offline";
}

export function useRoles(): readonly Role[] {
  return useCell(usePeople().roles);
}

export function useRole(name: string): Role | undefined {
  return useRoles().find((r) => r.role === name);
}
