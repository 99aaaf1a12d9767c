import { useMemo } from "react";
import { useClock, useTicking } from "../time/hooks";
import { reachOf, type Reach } from "../ui/view-state";
import type { Cell } from "./cell";
import type { Connection } from "./event-stream";
import { useCell } from "./hooks";

/** Whether the page is live, stale or offline towards its program, with times in the program's clock. */
export function useReachOf(cell: Cell<Connection>): Reach {
  const clock = useClock();
  const connection = useCell(cell);
  const kind = useTicking(() => reachOf(connection, Date.now()).kind);
  return useMemo(() => {
    const reach = reachOf(connection, Date.now());
    if (reach.kind === "offline") return { kind: "offline", since: clock.at(reach.since) };
    if (reach.kind === "stale") return { kind: "stale", asOf: reach.asOf === undefined ? undefined : clock.at(reach.asOf) };
    return reach;
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- kind stands for the time that has gone by
  }, [connection, clock, kind]);
}
