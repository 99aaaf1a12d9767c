import { Mark, useCell } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { ChevronRight, CircleCheck, TriangleAlert, UserRound, UserRoundX } from "lucide-react";
import { useHub, useT } from "../context";

/** How many names there is room for. */
const names = 6;

/** Who is on duty now, and who of them can be reached; leads to the page Duty. */
export function OnDuty() {
  const t = useT();
  const duty = useCell(useHub().duty).value;
  if (!duty || duty.crew.length === 0) return null;
  const on = duty.crew.filter((p) => p.duty === "duty");
  const backup = duty.crew.filter((p) => p.duty === "backup");
  return (
    <Link
      to="/mqtt/duty"
      data-testid="on-duty"
      className="mb-5 flex min-h-13 flex-wrap items-center gap-x-5 gap-y-1 rounded-card border border-line bg-ink-850 px-4 py-2.5 text-sm hover:bg-ink-800"
    >
      <span className="font-medium">{t("duty.strip")}</span>
      {on.length === 0 ? (
        <Mark tone="bad" icon={UserRoundX}>{t("duty.strip.nobody")}</Mark>
      ) : (
        on.slice(0, names).map((p) => (
          <Mark key={p.person_id} tone={p.watch?.reachable ? "ok" : "warn"} icon={p.watch?.reachable ? CircleCheck : TriangleAlert}>
            <span className="text-fg">{p.name}</span>
          </Mark>
        ))
      )}
      {on.length > names && <span className="text-fg-muted">{t("duty.strip.more", { n: on.length - names })}</span>}
      {backup.length > 0 && (
        <span className="inline-flex items-center gap-1.5 text-fg-muted">
          <UserRound aria-hidden className="size-4" />
          {t("duty.backup")}: {backup.slice(0, names).map((p) => p.name).join(", ")}
        </span>
      )}
      <span className="ml-auto inline-flex items-center gap-1 text-xs text-fg-dim">
        {t("duty.strip.reach", { reachable: duty.reachable, on: on.length })}
        <ChevronRight aria-hidden className="size-4" />
      </span>
    </Link>
  );
}
