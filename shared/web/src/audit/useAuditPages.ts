import { useCallback, useEffect, useRef, useState } from "react";
import type { ApiError } from "../api/problem";
import { useClock } from "../time/hooks";
import { apiErrorOf, type Audit } from "./audit";
import { entryKey } from "./query";
import type { AuditEntry, AuditFilter } from "./types";

export interface AuditPages {
  entries: readonly AuditEntry[];
  phase: "loading" | "ready" | "failed";
  error: ApiError | undefined;
  /** There is more behind the last one that is shown, or it was not looked for yet. */
  more: boolean;
  /** In the program's time. */
  readAt: number | undefined;
  reload: () => void;
  older: () => void;
}

type Held = Omit<AuditPages, "reload" | "older"> & { cursor: string | undefined };
const nothing: Held = { entries: [], phase: "loading", error: undefined, more: false, readAt: undefined, cursor: undefined };

/** The entries of an audit that fit, the newest first, as far back as somebody has asked. */
export function useAuditPages(audit: Audit, filter: AuditFilter): AuditPages {
  const clock = useClock();
  const [held, setHeld] = useState<Held>(nothing);
  const reading = useRef<AbortController>(undefined);
  const read = useCallback(
    (cursor: string | undefined) => {
      reading.current?.abort();
      const mine = new AbortController();
      reading.current = mine;
      setHeld((h) => ({ ...h, phase: "loading", error: undefined }));
      audit.page(filter, cursor, mine.signal).then(
        ({ items, next_cursor }) => {
          if (mine.signal.aborted) return;
          setHeld((h) => ({
            entries: cursor === undefined ? items : joined(h.entries, items),
            phase: "ready",
            error: undefined,
            more: next_cursor !== null,
            cursor: next_cursor ?? undefined,
            readAt: cursor === undefined ? clock.now() : h.readAt,
          }));
        },
        (error: unknown) => {
          if (!mine.signal.aborted) setHeld((h) => ({ ...h, phase: "failed", error: apiErrorOf(error) }));
        },
      );
    },
    [audit, filter, clock],
  );
  useEffect(() => {
    // What fitted another filter is not shown under this one.
    setHeld(nothing);
    read(undefined);
    return () => reading.current?.abort();
  }, [read]);
  return { ...held, reload: () => read(undefined), older: () => read(held.cursor) };
}

function joined(before: readonly AuditEntry[], more: readonly AuditEntry[]): readonly AuditEntry[] {
  const seen = new Set(before.map(entryKey));
  return [...before, ...more.filter((e) => !seen.has(entryKey(e)))];
}
