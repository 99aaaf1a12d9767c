import { createContext, useContext, useSyncExternalStore, type ReactNode } from "react";
import { useFormats, useWebMessages } from "../i18n/context";
import { Clock } from "./clock";
import { spanOf, stopwatch } from "./span";

const ClockContext = createContext<Clock>(new Clock());

export function ClockProvider({ clock, children }: { clock: Clock; children: ReactNode }) {
  return <ClockContext value={clock}>{children}</ClockContext>;
}

export function useClock(): Clock {
  return useContext(ClockContext);
}

/**
 * Something computed from the program's time; the component renders again only
 * when the result differs (compare with Object.is: use strings and numbers).
 */
export function useTicking<T extends string | number | boolean | undefined>(compute: (now: number) => T): T {
  const clock = useClock();
  return useSyncExternalStore(clock.subscribe, () => compute(clock.tick()));
}

/** The waiting time as 0:42, counting. */
export function useStopwatch(since: string): string {
  const start = Date.parse(since);
  return useTicking((now) => stopwatch(now - start));
}

/** "4 min ago", "in 3 h", "now". */
export function useRelative(time: number): string {
  const t = useWebMessages();
  return useTicking((now) => {
    const ms = now - time;
    if (Math.abs(ms) < 5000) return t("time.now");
    return ms > 0 ? t("time.ago", { span: spanOf(ms) }) : t("time.in", { span: spanOf(-ms) });
  });
}

/** "3 h": how long ago, without a word around it. */
export function useAge(time: number): string {
  const t = useWebMessages();
  return useTicking((now) => t("time.span", { span: spanOf(now - time) }));
}

export interface RelativeTimeProps {
  /** RFC 3339, or milliseconds. Absent is shown as unknown. */
  at: string | number | undefined;
  /** False inside a link or row that has the focus itself; that one then has the class reveals-time. */
  focusable?: boolean;
  /** Only the span, for sentences that have their own "ago". */
  bare?: boolean;
  className?: string;
}

/** A time relative to now, with the absolute one on hover or focus. */
export function RelativeTime({ at, focusable = true, bare = false, className = "" }: RelativeTimeProps) {
  const t = useWebMessages();
  const time = typeof at === "string" ? Date.parse(at) : at;
  if (time === undefined || Number.isNaN(time)) return <span className={className}>{t("time.unknown")}</span>;
  return <KnownTime time={time} focusable={focusable} bare={bare} className={className} />;
}

function KnownTime({ time, focusable, bare, className }: { time: number; focusable: boolean; bare: boolean; className: string }) {
  const { exact } = useFormats();
  const relative = useRelative(time);
  const age = useAge(time);
  return (
    <time
      dateTime={new Date(time).toISOString()}
      // A keyboard reaches the absolute time here; inside rows the row does it.
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={focusable ? 0 : undefined}
      className={`relative whitespace-nowrap rounded-sm ${className}`}
    >
      {bare ? age : relative}
      <span className="exact-time" aria-hidden="true">{exact(time)}</span>
    </time>
  );
}
