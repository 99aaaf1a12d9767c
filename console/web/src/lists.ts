import { ApiError, Cell, Collection, useCell, viewStateOf, type Page, type Query, type ViewState } from "@obedio/web";
import { useCallback, useEffect, useMemo, useState } from "react";
import { useConsole, useReach } from "./context";
import { pageSize } from "./fleet-console";

/**
 * A list that only one page needs: read when the page opens, when events were
 * missed, and when `query` changes. `key` must be a constant.
 */
export function useServerList<T>(path: string, key: (item: T) => string, query?: Query): { list: Collection<T>; reload: () => void } {
  const console = useConsole();
  const [list] = useState(() => new Collection<T>({ key, batcher: console.batcher }));
  const readings = useCell(console.readings);
  const asked = JSON.stringify(query ?? {});
  const reload = useCallback(
    () => void list.load((cursor, signal) => console.api.get<Page<T>>(path, { query: { limit: pageSize, ...(JSON.parse(asked) as Query), cursor }, signal })),
    [console, list, path, asked],
  );
  useEffect(reload, [reload, readings]);
  return { list, reload };
}

/** A list without end: its first page, and more when somebody asks. */
export function useGrowingList<T>(path: string, key: (item: T) => string, query?: Query, atOnce = 50) {
  const console = useConsole();
  const [list] = useState(() => new Collection<T>({ key, batcher: console.batcher }));
  const [next, setNext] = useState<string | null>(null);
  const readings = useCell(console.readings);
  const asked = JSON.stringify(query ?? {});
  const page = useCallback(
    (cursor?: string, signal?: AbortSignal) =>
      console.api.get<Page<T>>(path, { query: { limit: atOnce, ...(JSON.parse(asked) as Query), cursor }, ...(signal ? { signal } : {}) }),
    [console, path, asked, atOnce],
  );
  const reload = useCallback(
    () =>
      void list.load(async (_, signal) => {
        const first = await page(undefined, signal);
        setNext(first.next_cursor);
        return { items: first.items, next_cursor: null };
      }),
    [list, page],
  );
  useEffect(reload, [reload, readings]);
  const more = useCallback(async () => {
    if (next === null) return;
    const following = await page(next);
    console.batcher.run(() => following.items.forEach((item) => list.upsert(item)));
    setNext(following.next_cursor);
  }, [console, list, page, next]);
  return { list, reload, more: next === null ? undefined : more };
}

/** One document that no event keeps current: read when the page opens, after events were missed, and every so many milliseconds. */
export function useReading<T>(path: string, every?: number): { data: T | undefined; state: ViewState; again: () => void; put: (data: T) => void } {
  const console = useConsole();
  const reach = useReach();
  const readings = useCell(console.readings);
  const cell = useMemo(() => new Cell<{ path: string; data?: T; error?: ApiError }>(console.batcher, { path }), [console, path]);
  const held = useCell(cell);
  const again = useCallback(() => {
    const reading = new AbortController();
    console.api.get<T>(path, { signal: reading.signal }).then(
      (data) => !reading.signal.aborted && cell.set({ path, data }),
      (error: unknown) => {
        if (!reading.signal.aborted && error instanceof ApiError) cell.set({ ...cell.get(), error });
      },
    );
    return () => reading.abort();
  }, [console, cell, path]);
  useEffect(again, [again, readings]);
  useEffect(() => {
    if (every === undefined) return;
    let stop = () => {};
    const timer = setInterval(() => {
      stop();
      stop = again();
    }, every);
    return () => {
      clearInterval(timer);
      stop();
    };
  }, [again, every]);
  const n = held.data === undefined ? 0 : 1;
  const phase = n > 0 ? "ready" : held.error ? "failed" : "loading";
  const denied = held.error?.status === 403;
  const state = viewStateOf({ status: { phase, error: n === 0 || denied ? held.error : undefined, loadedAt: undefined }, total: n, shown: n, reach });
  return { data: held.data, state, again: () => void again(), put: (data) => cell.set({ path, data }) };
}
