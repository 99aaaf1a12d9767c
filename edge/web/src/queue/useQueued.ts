import { useCell } from "@obedio/web";
import { useHub } from "../context";
import type { QueuedAction } from "./action";

/** What waits to be done with one request. */
export function useQueued(requestId: string): QueuedAction | undefined {
  return useCell(useHub().queue.actions).find((a) => a.target === requestId && a.state === "waiting");
}
