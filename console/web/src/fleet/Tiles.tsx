import { classes, hasTerm, linkLook, linkStates, lookOf, toggleTerm, toneText, useDerived, useFormats, useWords, type Collection, type Tone } from "@obedio/web";
import { useNavigate } from "@tanstack/react-router";
import { BellRing, CloudUpload, OctagonAlert, Rocket, Siren, TriangleAlert, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import type { FleetAlert } from "../api/resources";
import { useConsole, useSystem, useT } from "../context";
import { countFleet } from "./sites";

export interface TilesProps {
  filter: string;
  onFilter: (filter: string) => void;
  onSortByBacklog: () => void;
}

/** The fleet in one row: how many sites stand where. A tile filters the table below. */
export function Tiles({ filter, onFilter, onSortByBacklog }: TilesProps) {
  const t = useT();
  const words = useWords();
  const { number } = useFormats();
  const counts = useDerived(useConsole().sites, countFleet);
  const alerts = useDerived(useConsole().alerts, countStanding);
  const jobs = useSystem()?.counts.jobs_running ?? 0;
  const navigate = useNavigate();
  const total = t("fleet.of", { total: number(counts.total) });
  const always = ["online", "late", "offline", "stalled", "never_connected"];
  const shown = linkStates.filter((s) => always.includes(s) || (counts.links[s] ?? 0) > 0);
  const open = "open:>0";
  return (
    <section aria-label={t("fleet.tiles")} className="grid gap-3 [grid-template-columns:repeat(auto-fit,minmax(7.25rem,1fr))]">
      {shown.map((state) => {
        const look = lookOf(linkLook, state);
        const n = counts.links[state] ?? 0;
        return (
          <Tile
            key={state}
            testId={`tile-${state}`}
            icon={look.icon}
            tone={n > 0 ? look.tone : "idle"}
            label={words.link(state)}
            value={number(n)}
            note={total}
            pressed={hasTerm(filter, "link", state)}
            onPress={() => onFilter(toggleTerm(filter, "link", state))}
          />
        );
      })}
      <Tile
        testId="tile-requests"
        icon={counts.emergency > 0 ? Siren : BellRing}
        tone={counts.emergency > 0 ? "bad" : counts.open > 0 ? "accent" : "idle"}
        label={t("fleet.tile.requests")}
        value={number(counts.open)}
        note={counts.emergency > 0 ? t("fleet.tile.emergencies", { n: number(counts.emergency) }) : t("fleet.tile.noEmergency")}
        pressed={filter.includes(open)}
        onPress={() => onFilter(filter.includes(open) ? filter.replace(open, "").replace(/\s+/g, " ").trim() : `${filter} ${open}`.trim())}
      />
      <Tile
        testId="tile-alerts"
        icon={alerts.critical > 0 ? OctagonAlert : TriangleAlert}
        tone={alerts.critical > 0 ? "bad" : alerts.n > 0 ? "warn" : "idle"}
        label={t("fleet.tile.alerts")}
        value={number(alerts.n)}
        note={alerts.critical > 0 ? t("fleet.tile.alerts.critical", { n: number(alerts.critical) }) : t("fleet.tile.alerts.none")}
        onPress={() => void navigate({ to: "/alerts" })}
      />
      <Tile
        testId="tile-jobs"
        icon={Rocket}
        tone={jobs > 0 ? "accent" : "idle"}
        label={t("fleet.tile.jobs")}
        value={number(jobs)}
        note={t("fleet.tile.jobs.note")}
        onPress={() => void navigate({ to: "/jobs" })}
      />
      <Tile
        testId="tile-backlog"
        icon={CloudUpload}
        tone={counts.largest ? "accent" : "idle"}
        label={t("fleet.tile.backlog")}
        value={number(counts.largest?.backlog ?? 0)}
        note={counts.largest?.name ?? t("fleet.tile.noBacklog")}
        onPress={onSortByBacklog}
      />
    </section>
  );
}

function countStanding(alerts: Collection<FleetAlert>): { n: number; critical: number } {
  let critical = 0;
  let n = 0;
  for (const a of alerts.values()) {
    if (a.state === "rectified" || a.state === "cleared") continue;
    n++;
    if (a.severity === "critical") critical++;
  }
  return { n, critical };
}

interface TileProps {
  icon: LucideIcon;
  tone: Tone;
  label: string;
  value: string;
  note: ReactNode;
  pressed?: boolean;
  onPress: () => void;
  testId: string;
}

function Tile({ icon: Icon, tone, label, value, note, pressed, onPress, testId }: TileProps) {
  return (
    <button
      type="button"
      data-testid={testId}
      aria-pressed={pressed}
      onClick={onPress}
      className={classes(
        "flex min-w-0 flex-col items-start rounded-card border px-3.5 py-3 text-left transition-colors duration-150",
        pressed ? "border-accent bg-accent-soft" : "border-line bg-ink-850 hover:bg-ink-800",
      )}
    >
      <span className="text-xs text-fg-muted">{label}</span>
      <span className="mt-1 flex w-full items-center justify-between gap-2">
        <span className="text-xl font-semibold tabular-nums">{value}</span>
        <Icon aria-hidden className={classes("size-5 shrink-0", toneText[tone])} />
      </span>
      <span className="max-w-full truncate text-xs text-fg-muted">{note}</span>
    </button>
  );
}
