import { useDerived, type Collection } from "@obedio/web";
import type { CallRequest } from "../api/resources";
import { useHub } from "../context";

const rank: Record<string, number> = { emergency: 0, urgent: 1, normal: 2 };

/** What waits comes first, by priority and then by age; what somebody has taken comes after. */
export function compareCalls(a: CallRequest, b: CallRequest): number {
  const state = Number(a.state !== "open") - Number(b.state !== "open");
  if (state !== 0) return state;
  const priority = (rank[a.priority] ?? 3) - (rank[b.priority] ?? 3);
  if (priority !== 0) return priority;
  return a.opened_at.localeCompare(b.opened_at) || a.request_id.localeCompare(b.request_id);
}

export function openRequests(requests: Collection<CallRequest>): CallRequest[] {
  return [...requests.values()].filter((r) => r.state === "open" || r.state === "accepted").sort(compareCalls);
}

/** Open and accepted requests, in the order of the Calls page. */
export function useOpenRequests(): CallRequest[] {
  return useDerived(useHub().requests, openRequests);
}
