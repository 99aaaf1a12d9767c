import { useCell, type ApiError, type Query, type ViewState } from "@obedio/web";
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useHub, useReach } from "../context";

export interface ReadingConfig {
  path: string;
  query?: Query;
  /** Grows when the hub has told of a change. */
  changes?: number;
  /** What a person needs who may not see it. */
  needs: string;
  /** Milliseconds between two readings while the page is open; only by events if absent. */
  every?: number;
}

/**
 * One document of the hub that only one page needs, with the state of its
 * view. It is read when the page opens, when events were missed and when
 * `changes` grows; what was read before stays until the next is here.
 */
export function useReading<T>({ path, query, changes = 0, needs, every }: ReadingConfig): { data: T | undefined; state: ViewState; missing: boolean; reading: UseQueryResult<T, ApiError> } {
  const hub = useHub();
  const reach = useReach();
  const readings = useCell(hub.readings);
  const about = [path, JSON.stringify(query ?? {})];
  const reading = useQuery<T, ApiError>({
    queryKey: [...about, readings, changes],
    queryFn: ({ signal }) => hub.api.get<T>(path, { ...(query ? { query } : {}), signal }),
    ...(every === undefined ? {} : { refetchInterval: every }),
    placeholderData: (last, before) => (before?.queryKey[0] === about[0] && before?.queryKey[1] === about[1] ? last : undefined),
  });
  return { data: reading.data, state: stateOf(reading.data, reading.error, reading.isPending, reach, needs), missing: reading.error?.status === 404, reading };
}

/** Which state the view of one document is in. */
export function stateOf(data: unknown, error: ApiError | null | undefined, pending: boolean, reach: ViewState, needs: string): ViewState {
  if (error?.status === 403) return { kind: "unavailable", why: "forbidden", needs };
  if (error?.status === 426 || error?.status === 501) return { kind: "unavailable", why: "too-old", needs: error.detail ?? "" };
  if (data !== undefined) return error && reach.kind === "live" ? { kind: "partial", shown: 1, error } : reach;
  if (reach.kind === "offline") return reach;
  return pending ? { kind: "loading" } : { kind: "error", error: error ?? undefined };
}
