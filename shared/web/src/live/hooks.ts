import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import type { Cell } from "./cell";
import type { Collection, CollectionStatus } from "./collection";

/** One item; the component renders again only when that item changes. */
export function useItem<T>(collection: Collection<T>, id: string): T | undefined {
  const subscribe = useCallback((reader: () => void) => collection.subscribeKey(id, reader), [collection, id]);
  return useSyncExternalStore(subscribe, () => collection.get(id));
}

/** A number that grows with every change, for lists computed with useMemo. */
export function useVersion<T>(collection: Collection<T>): number {
  return useSyncExternalStore(collection.subscribe, () => collection.version);
}

export function useStatus<T>(collection: Collection<T>): CollectionStatus {
  return useSyncExternalStore(collection.subscribe, () => collection.status);
}

export function useCell<T>(cell: Cell<T>): T {
  return useSyncExternalStore(cell.subscribe, cell.get);
}

/**
 * A list of keys computed from the items. The array stays the same object as
 * long as its content is equal, so that a list renders again only when its
 * membership or order changes. `compute` must be memoised by the caller.
 */
export function useKeys<T>(collection: Collection<T>, compute: (collection: Collection<T>) => string[]): readonly string[] {
  const version = useVersion(collection);
  const held = useRef<readonly string[]>([]);
  const next = useMemo(() => {
    const keys = compute(collection);
    return equal(held.current, keys) ? held.current : keys;
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- version stands for the items
  }, [collection, compute, version]);
  useEffect(() => {
    held.current = next;
  }, [next]);
  return next;
}

/**
 * The keys of the items that match, sorted. Sorting begins with the order of
 * before: almost nothing has changed then, and sorting ten thousand is one pass.
 * `matches` and `compare` must be memoised by the caller.
 */
export function useSortedKeys<T>(
  collection: Collection<T>,
  matches: (item: T) => boolean,
  compare: (a: T, b: T) => number,
  descending = false,
): readonly string[] {
  const version = useVersion(collection);
  const held = useRef<readonly string[]>([]);
  const next = useMemo(() => {
    const order = sortKeys(collection, held.current, matches, compare, descending);
    return equal(held.current, order) ? held.current : order;
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- version stands for the items
  }, [collection, matches, compare, descending, version]);
  useEffect(() => {
    held.current = next;
  }, [next]);
  return next;
}

/** See useSortedKeys. */
export function sortKeys<T>(
  collection: Collection<T>,
  before: readonly string[],
  matches: (item: T) => boolean,
  compare: (a: T, b: T) => number,
  descending: boolean,
): readonly string[] {
  const known = new Set(before);
  const rows: { id: string; item: T }[] = [];
  const add = (id: string) => {
    const item = collection.get(id);
    if (item !== undefined && matches(item)) rows.push({ id, item });
  };
  for (const id of before) add(id);
  for (const id of collection.ids()) {
    if (!known.has(id)) add(id);
  }
  const sign = descending ? -1 : 1;
  return rows.sort((a, b) => sign * compare(a.item, b.item)).map((row) => row.id);
}

/** A value computed from all items, such as counts. `compute` must be memoised by the caller. */
export function useDerived<T, V>(collection: Collection<T>, compute: (collection: Collection<T>) => V): V {
  const version = useVersion(collection);
  // oxlint-disable-next-line react-hooks/exhaustive-deps -- version stands for the items
  return useMemo(() => compute(collection), [collection, compute, version]);
}

function equal(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}
