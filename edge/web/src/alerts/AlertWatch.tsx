import { useCell, useClock, useTicking, useToast, useVersion } from "@obedio/web";
import { useEffect, useRef, useState } from "react";
import { useRing } from "../calls/RingContext";
import { useHub, useSystem } from "../context";
import { comingOf, soundFor, timeOfDay } from "./alert";
import { Sounder } from "./sounder";
import { useAlertWords } from "./words";

/**
 * Says what comes while the page is there: a message for what is critical, and
 * the sounds that the notification rules want. What stood when the page was
 * opened says nothing, but its alarm sounds.
 */
export function AlertWatch() {
  const hub = useHub();
  const toast = useToast();
  const words = useAlertWords();
  const clock = useClock();
  const zone = useSystem()?.time_zone;
  const rules = useCell(hub.rules);
  const version = useVersion(hub.alerts);
  const minute = useTicking((now) => timeOfDay(now, zone));
  const { ringing } = useRing();
  const [sounder, setSounder] = useState<Sounder>();
  // What was told already; undefined until the first reading is over.
  const known = useRef<Set<string>>(undefined);

  useEffect(() => {
    const made = new Sounder();
    setSounder(made);
    addEventListener("pointerdown", made.unlock);
    addEventListener("keydown", made.unlock);
    return () => {
      removeEventListener("pointerdown", made.unlock);
      removeEventListener("keydown", made.unlock);
      made.close();
    };
  }, []);

  useEffect(() => {
    if (known.current === undefined && hub.alerts.status.phase !== "ready") return;
    const active = [...hub.alerts.values()].filter((a) => a.state === "active");
    const before = known.current;
    known.current = new Set(active.map(comingOf));
    if (before === undefined) return;
    const come = active.filter((a) => !before.has(comingOf(a)));
    for (const a of come.filter((c) => c.severity === "critical")) {
      const where = words.where(a);
      toast({ tone: "bad", title: where ? `${words.title(a)} · ${where}` : words.title(a), detail: words.action(a) });
    }
    const time = timeOfDay(clock.now(), zone);
    // A call that rings is more important than a chime.
    if (ringing === 0 && come.some((a) => soundFor(rules, a, time) === "chime")) sounder?.chime();
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- what changes here is the alerts; the rest is only looked at
  }, [version]);

  const alarms = ringing === 0 && [...hub.alerts.values()].some((a) => a.state === "active" && soundFor(rules, a, minute) === "alarm");
  useEffect(() => sounder?.alarm(alarms), [sounder, alarms]);
  return null;
}
