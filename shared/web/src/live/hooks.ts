import { useCallback, useMemo, useRef, useSyncExternalStore } from "react";
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
  // eslint-disable-next-line react-hooks/exhaustive-deps -- version stands for the items
  const next = useMemo(() => compute(collection), [collection, compute, version]);
  if (!equal(held.current, next)) held.current = next;
  return held.current;
}

/** A value computed from all items, such as counts. `compute` must be memoised by the caller. */
export function useDerived<T, V>(collection: Collection<T>, compute: (collection: Collection<T>) => V): V {
  const version = useVersion(collection);
  // eslint-disable-next-line react-hooks/exhaustive-deps -- version stands for the items
  return useMemo(() => compute(collection), [collection, compute, version]);
}

function equal(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}
