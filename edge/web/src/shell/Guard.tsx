import { DataView } from "@obedio/web";
import type { ReactNode } from "react";
import { usePermits } from "../context";

/** The page for who may see it, and what it needs for who may not. */
export function Guard({ needs, children }: { needs: string; children: ReactNode }) {
  const may = usePermits(needs);
  return may ? children : <DataView state={{ kind: "unavailable", why: "forbidden", needs }} empty={{ title: "" }} skeleton={null}>{null}</DataView>;
}
