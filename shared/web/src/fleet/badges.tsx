import { BatteryFull, BatteryLow, BatteryMedium, BatteryWarning, SignalHigh, SignalLow, SignalMedium, SignalZero } from "lucide-react";
import { useWebMessages } from "../i18n/context";
import { classes } from "../ui/classes";
import { Mark, Pill } from "../ui/Pill";
import {
  commandLook, commandStates, deviceTypes, linkLook, linkStates, lookOf, presenceLook, presenceStates, requestLook,
  type Look, type RequestState,
} from "./states";

/** The word for a state, or the state itself when this page does not know it yet. */
export function useWords() {
  const t = useWebMessages();
  const known = <S extends string>(list: readonly S[], s: string): s is S => (list as readonly string[]).includes(s);
  const plain = (s: string) => s.replaceAll("_", " ");
  return {
    presence: (s: string) => (known(presenceStates, s) ? t(`presence.${s}`) : plain(s)),
    link: (s: string) => (known(linkStates, s) ? t(`link.${s}`) : plain(s)),
    command: (s: string) => (known(commandStates, s) ? t(`command.${s}`) : plain(s)),
    type: (s: string) => (known(deviceTypes, s) ? t(`type.${s}`) : plain(s)),
    request: (s: string) =>
      known(["open", "accepted", "completed", "cancelled", "missed"] as const, s) ? t(`request.${s}`) : plain(s),
  };
}

interface BadgeProps {
  state: string;
  /** Without a background, for tables and cards. */
  bare?: boolean;
}

function Badge({ look, word, bare, state }: { look: Look; word: string; bare: boolean | undefined; state: string }) {
  const Shape = bare ? Mark : Pill;
  return <span data-state={state} className="inline-flex min-w-0"><Shape tone={look.tone} icon={look.icon}>{word}</Shape></span>;
}

export interface PresenceBadgeProps extends BadgeProps {
  /** The state is only the last one known: it is shown as past and never green. */
  past?: boolean;
}

export function PresenceBadge({ state, bare, past = false }: PresenceBadgeProps) {
  const t = useWebMessages();
  const words = useWords();
  const look = lookOf(presenceLook, state);
  if (past && state !== "never_seen" && state !== "retired") {
    return <Badge look={{ ...look, tone: "idle" }} word={t("presence.was", { word: words.presence(state) })} bare={bare} state={state} />;
  }
  return <Badge look={look} word={words.presence(state)} bare={bare} state={state} />;
}

export function LinkStateBadge({ state, bare }: BadgeProps) {
  return <Badge look={lookOf(linkLook, state)} word={useWords().link(state)} bare={bare} state={state} />;
}

export function CommandBadge({ state, bare }: BadgeProps) {
  return <Badge look={lookOf(commandLook, state)} word={useWords().command(state)} bare={bare} state={state} />;
}

export function RequestBadge({ state, bare }: { state: RequestState | (string & {}); bare?: boolean }) {
  return <Badge look={lookOf(requestLook, state)} word={useWords().request(state)} bare={bare} state={state} />;
}

/** Below this a battery is low. */
export const lowBattery = 20;

export function Battery({ percent, className }: { percent: number | undefined; className?: string }) {
  const t = useWebMessages();
  if (percent === undefined) return null;
  const low = percent < lowBattery;
  const Icon = low ? BatteryWarning : percent < 45 ? BatteryLow : percent < 80 ? BatteryMedium : BatteryFull;
  const label = low ? t("battery.low", { percent }) : t("battery.label", { percent });
  return (
    <span title={label} className={classes("inline-flex items-center gap-1.5 whitespace-nowrap tabular-nums", low && "font-medium text-warn", className)}>
      <Icon role="img" aria-label={label} className="size-4.5 shrink-0" />
      {`${percent}%`}
    </span>
  );
}

/** Signal in dBm (0 and below) or percent. */
export function Signal({ value, className }: { value: number | undefined; className?: string }) {
  const t = useWebMessages();
  if (value === undefined) return null;
  const percent = value <= 0 ? Math.max(0, Math.min(100, 2 * (value + 100))) : value;
  const Icon = percent > 60 ? SignalHigh : percent > 35 ? SignalMedium : percent > 12 ? SignalLow : SignalZero;
  const label = t("signal.label", { value });
  return (
    <span title={label} className={classes("inline-flex items-center gap-1 whitespace-nowrap tabular-nums", className)}>
      <Icon role="img" aria-label={label} className="size-4.5 shrink-0" />
      {value <= 0 ? `\u2212${-value}` : `${value}%`}
    </span>
  );
}
