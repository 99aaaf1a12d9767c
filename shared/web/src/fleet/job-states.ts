import type { Collection } from "../live/collection";
import { commandStates, isFinal, type CommandState } from "./states";

/** How many commands of a job are in each state. */
export type StateCounts = Readonly<Partial<Record<string, number>>>;

export function countStates<T extends { state: string }>(commands: Collection<T>): StateCounts {
  const counts: Record<string, number> = {};
  for (const c of commands.values()) counts[c.state] = (counts[c.state] ?? 0) + 1;
  return counts;
}

// As they follow each other; what went wrong stands before what is merely over.
const order: readonly CommandState[] = [
  "succeeded", "failed", "expired", "cancelled", "superseded", "acknowledged", "delivered", "sent", "at_hub", "queued",
];

/** The states that are there, ended ones first, and those that a newer hub may know at the end. */
export function shownStates(counts: StateCounts): string[] {
  const known = order.filter((s) => (counts[s] ?? 0) > 0);
  const others = Object.keys(counts).filter((s) => !(commandStates as readonly string[]).includes(s));
  return [...known, ...others];
}

const sum = (counts: StateCounts, states: readonly string[]) => states.reduce((n, s) => n + (counts[s] ?? 0), 0);

/** How many have ended. */
export const ended = (counts: StateCounts): number => sum(counts, commandStates.filter(isFinal));
/** How many can be tried again. */
export const retryable = (counts: StateCounts): number => sum(counts, ["failed", "expired"]);
/** How many have not reached their device. */
export const cancellable = (counts: StateCounts): number => sum(counts, ["queued", "at_hub", "sent"]);
