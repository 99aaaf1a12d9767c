import { ApiError, type ApiClient } from "@obedio/web/api";
import { isTooOld, type QueuedAction, type Refusal } from "./action";
import type { ActionStore } from "./store";

/** Longer than the API client waits for an answer. */
const lease = 30_000;

export interface DrainReport {
  sent: { action: QueuedAction; answer: unknown }[];
  refused: QueuedAction[];
  asking: QueuedAction[];
  /** The hub could not be reached, or does not know this browser's person at the moment: try again later. */
  again: boolean;
}

/**
 * Sends what waits, the oldest first. The page and the worker both do; an
 * action is claimed before it is sent, and its key makes a second sending
 * after a lost answer harmless.
 */
export async function drain(store: ActionStore, api: ApiClient, userId: string, now: () => number = Date.now): Promise<DrainReport> {
  const report: DrainReport = { sent: [], refused: [], asking: [], again: false };
  for (const { key, state, userId: whose } of await store.all()) {
    if (state !== "waiting" || whose !== userId) continue;
    const claimed = await store.change(key, (a) => claim(a, now()));
    if (!claimed) {
      // Somebody else is at it, or it was revoked.
      report.again ||= (await store.all()).some((a) => a.key === key);
      continue;
    }
    if (claimed.state === "asking") {
      report.asking.push(claimed);
      continue;
    }
    try {
      const answer = await api.post<unknown>(claimed.path, claimed.body, { idempotencyKey: key });
      await store.remove(key);
      report.sent.push({ action: claimed, answer });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const later = error.transient || error.status === 401 || String(error.body["type"] ?? "").endsWith("busy");
      const next = await store.change(key, (held) => {
        const { sendingUntil: _, ...free } = held;
        return later ? { ...free, tried: free.tried === true || error.fault !== undefined } : { ...free, state: "refused", refusal: refusalOf(error) };
      });
      if (later) {
        report.again = true;
        return report;
      }
      if (next) report.refused.push(next);
    }
  }
  return report;
}

function claim(action: QueuedAction, now: number): QueuedAction | undefined {
  if (action.state !== "waiting") return undefined;
  // A lease far in the future was taken by a clock that has gone back since.
  if (action.sendingUntil !== undefined && action.sendingUntil > now && action.sendingUntil <= now + lease) return undefined;
  if (isTooOld(action, now)) {
    const { sendingUntil: _, ...rest } = action;
    return { ...rest, state: "asking" };
  }
  return { ...action, sendingUntil: now + lease };
}

function refusalOf(error: ApiError): Refusal {
  const refusal: Refusal = { title: error.title, ...(error.detail === undefined ? {} : { detail: error.detail }) };
  const request = error.body["request"] as { state?: string; accepted_by?: { name?: string; id?: string } } | undefined;
  if (!error.conflict || !request) return refusal;
  const who = request.accepted_by?.name || request.accepted_by?.id;
  if (request.state === "accepted" && who) refusal.takenBy = who;
  else if (request.state !== "open") refusal.ended = true;
  return refusal;
}
