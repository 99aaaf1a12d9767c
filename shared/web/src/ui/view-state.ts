import type { ApiError } from "../api/problem";
import type { CollectionStatus } from "../live/collection";
import type { Connection } from "../live/event-stream";

/** The nine states of every data view. Those with rows show them; the others say why there are none. */
export type ViewState =
  | { kind: "loading" }
  | { kind: "empty" }
  | { kind: "filtered-empty"; total: number }
  | { kind: "live" }
  | { kind: "stale"; asOf: number | undefined }
  | { kind: "offline"; since: number }
  | { kind: "partial"; shown: number; error: ApiError | undefined }
  | { kind: "error"; error: ApiError | undefined }
  | { kind: "unavailable"; why: "forbidden" | "too-old"; needs: string };

/** Where the page stands with its program, in the program's time. */
export type Reach =
  | { kind: "live" }
  | { kind: "stale"; asOf: number | undefined }
  | { kind: "offline"; since: number };

/** A lost line is "stale" at first; after this long it is "offline". */
export const offlineAfter = 10_000;

/**
 * What a connection means at `now`. All times are this browser's; the first
 * connecting of a page counts as live, because nothing old is shown then.
 */
export function reachOf(connection: Connection, now: number): Reach {
  if (connection.state === "open") return { kind: "live" };
  if (connection.state === "stopped" || (connection.failures === 0 && connection.heardAt === undefined)) return { kind: "live" };
  const since = connection.heardAt ?? connection.since;
  const lost = now - since > offlineAfter || (connection.heardAt === undefined && connection.failures > 1);
  return lost ? { kind: "offline", since } : { kind: "stale", asOf: connection.heardAt };
}

export interface ViewInput {
  status: CollectionStatus;
  /** How many there are, and how many of them are shown. */
  total: number;
  shown: number;
  reach: Reach;
  /** For data that has an age of its own, such as a site's at the console. */
  dataAsOf?: number | undefined;
  /** The data is older than it should be. */
  dataStale?: boolean;
}

/** Which of the nine states a list is in. */
export function viewStateOf({ status, total, shown, reach, dataAsOf, dataStale }: ViewInput): ViewState {
  const { error } = status;
  if (error?.status === 403) return { kind: "unavailable", why: "forbidden", needs: permissionOf(error) };
  if (error?.status === 426 || error?.status === 501) return { kind: "unavailable", why: "too-old", needs: error.detail ?? "" };
  if (total === 0) {
    if (reach.kind === "offline") return reach;
    if (status.phase === "failed") return { kind: "error", error };
    // What was empty stays so while it is read again.
    if (status.phase === "unread" || (status.phase === "loading" && status.loadedAt === undefined)) return { kind: "loading" };
    return { kind: "empty" };
  }
  if (reach.kind === "offline") return reach;
  if (shown === 0) return { kind: "filtered-empty", total };
  if (status.phase === "partial" || status.phase === "failed") return { kind: "partial", shown: total, error };
  if (reach.kind === "stale") return reach;
  if (dataStale) return { kind: "stale", asOf: dataAsOf };
  return { kind: "live" };
}

function permissionOf(error: ApiError): string {
  const needs = error.body["permission"];
  return typeof needs === "string" ? needs : "";
}
