import { Collection, useCell, type Page } from "@obedio/web";
import { useCallback, useEffect, useState } from "react";
import { useHub } from "./context";

/** The largest page that the hub gives. */
const pageSize = 500;

/**
 * A list of the hub that only one page needs: read when the page opens, when
 * events were missed and, with `follows`, when policy or certificates have
 * changed, or when the crew has. `key` must be a constant.
 */
export function useServerList<T>(path: string, key: (item: T) => string, follows: boolean | "crew" = false, filter?: string): { list: Collection<T>; reload: () => void } {
  const hub = useHub();
  const [list] = useState(() => new Collection<T>({ key, batcher: hub.batcher }));
  const readings = useCell(hub.readings);
  const changes = useCell(hub.policyChanges);
  const reload = useCallback(
    () => void list.load((cursor, signal) => hub.api.get<Page<T>>(path, { query: { limit: pageSize, cursor, filter }, signal })),
    [hub, list, path, filter],
  );
  const crew = useCell(hub.crewChanges);
  const when = follows === "crew" ? crew : follows ? changes : 0;
  useEffect(reload, [reload, readings, when]);
  return { list, reload };
}
