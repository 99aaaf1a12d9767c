import { useCallback, useEffect, useMemo, useRef, useState } from "react";

export interface Settled {
  ids: readonly string[];
  /** How many new items wait to be shown; 0 when the order is the live one. */
  waiting: number;
  /** Shows the live order now. */
  settle: () => void;
  /** For the element around the list. */
  handlers: {
    onPointerEnter: (e: React.PointerEvent) => void;
    onPointerLeave: (e: React.PointerEvent) => void;
    onPointerDown: () => void;
    onPointerUp: (e: React.PointerEvent) => void;
    onPointerCancel: () => void;
  };
}

export interface SettleOptions {
  /** New items are shown at the end at once instead of waiting. For calls, which must never be hidden. */
  showNew?: boolean;
}

/**
 * Keeps live data from moving under the pointer: while a mouse is over the
 * list or a finger is on it, items keep their places; new ones wait (or go to
 * the end), removed ones go.
 */
export function useSettledOrder(live: readonly string[], options: SettleOptions = {}): Settled {
  const [held, setHeld] = useState<readonly string[] | undefined>();
  const latest = useRef(live);
  useEffect(() => {
    latest.current = live;
  });
  const hold = useCallback(() => setHeld((h) => h ?? latest.current), []);
  const settle = useCallback(() => setHeld(undefined), []);
  const handlers = useMemo(
    () => ({
      onPointerEnter: (e: React.PointerEvent) => e.pointerType === "mouse" && hold(),
      onPointerLeave: settle,
      onPointerDown: hold,
      onPointerUp: (e: React.PointerEvent) => e.pointerType !== "mouse" && settle(),
      onPointerCancel: settle,
    }),
    [hold, settle],
  );
  const merged = useMemo(() => mergeOrder(live, held, options.showNew ?? false), [live, held, options.showNew]);
  return { ...merged, settle: useCallback(() => setHeld((h) => (h ? latest.current : h)), []), handlers };
}

/** The order to show: held places first, without what has gone. */
export function mergeOrder(
  live: readonly string[],
  held: readonly string[] | undefined,
  showNew: boolean,
): { ids: readonly string[]; waiting: number } {
  if (!held) return { ids: live, waiting: 0 };
  const now = new Set(live);
  const kept = held.filter((id) => now.has(id));
  const known = new Set(kept);
  const fresh = live.filter((id) => !known.has(id));
  if (showNew) return { ids: fresh.length > 0 ? [...kept, ...fresh] : kept, waiting: 0 };
  return { ids: kept, waiting: fresh.length };
}

