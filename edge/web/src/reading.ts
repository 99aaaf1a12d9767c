import { useCell, viewStateOf, type ApiError, type ViewState } from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { useHub, useReach } from "./context";

export interface Read<T> {
  data: T | undefined;
  state: ViewState;
  again: () => void;
}

/**
 * One document of the hub that no event keeps current: read when the page opens,
 * after events were missed, and every so many milliseconds if `every` says so.
 */
export function useReading<T>(path: string, every?: number): Read<T> {
  const hub = useHub();
  const reach = useReach();
  const readings = useCell(hub.readings);
  const query = useQuery<T, ApiError>({
    queryKey: ["reading", path, readings],
    queryFn: ({ signal }) => hub.api.get<T>(path, { signal }),
    placeholderData: (last) => last,
    refetchInterval: every ?? false,
    staleTime: 0,
    gcTime: 0,
  });
  const n = query.data === undefined ? 0 : 1;
  const phase = n > 0 ? "ready" : query.isPending ? "loading" : "failed";
  const denied = query.error?.status === 403;
  return {
    data: query.data,
    state: viewStateOf({ status: { phase, error: n === 0 || denied ? (query.error ?? undefined) : undefined, loadedAt: undefined }, total: n, shown: n, reach }),
    again: () => void query.refetch(),
  };
}
