import { Banner, Button, ErrorNote, Fold, Pill, Section, Skeletons, TextField, spanOf, useCell, useFormats, useTicking, useToast, useWork, type ApiError, type Look } from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { CircleCheck, CircleHelp, ClockAlert, Smartphone } from "lucide-react";
import { useState } from "react";
import type { ClockReading } from "../api/resources";
import { useCanWrite, useHub, usePermits, useT } from "../context";
import { settings } from "../messages/settings";
import { instantOf } from "./instant";

/** How often the clock is asked where it has the time from. */
const askEvery = 30_000;
const sources = ["unset", "floor", "rtc", "ntp", "console", "operator"] as const;
type Source = (typeof sources)[number];

/** How two clocks differ is told from here on: below, it is the way through the network. */
const slack = 5_000;

function lookOfClock(reading: ClockReading): Look {
  if (reading.unconfirmed_jump_s !== undefined) return { icon: ClockAlert, tone: "bad" };
  return reading.trusted ? { icon: CircleCheck, tone: "ok" } : { icon: CircleHelp, tone: "warn" };
}

/** What the hub's clock says, where it has the time from, and the way to put it right. */
export function ClockCard({ title }: { title?: string }) {
  const t = useT(settings);
  const hub = useHub();
  const readings = useCell(hub.readings);
  const query = useQuery<{ reading: ClockReading; at: number }, ApiError>({
    queryKey: ["clock", readings],
    queryFn: async ({ signal }) => {
      const sent = Date.now();
      const reading = await hub.api.get<ClockReading>("/system/clock", { signal });
      // The page's own idea of the hub's time follows, too.
      hub.clock.observe(reading.now, sent, Date.now());
      return { reading, at: (sent + Date.now()) / 2 };
    },
    refetchInterval: askEvery,
    staleTime: 0,
    gcTime: 0,
  });
  return (
    <Section title={title ?? t("clock.title")} testId="clock">
      {query.data ? (
        <Reading reading={query.data.reading} at={query.data.at} onChanged={() => void query.refetch()} />
      ) : query.isError ? (
        <ErrorNote error={query.error} onRetry={() => void query.refetch()} />
      ) : (
        <Skeletons count={1} itemClass="h-20" className="p-4" />
      )}
    </Section>
  );
}

function Reading({ reading, at, onChanged }: { reading: ClockReading; at: number; onChanged: () => void }) {
  const t = useT(settings);
  const hub = useHub();
  const toast = useToast();
  const may = usePermits("system.write");
  const canWrite = useCanWrite();
  const work = useWork();
  const { exact } = useFormats();
  const now = useTicking((hubNow) => exact(hubNow));
  const [typed, setTyped] = useState("");
  const look = lookOfClock(reading);
  const source = sources.find((s) => s === reading.source) ?? "unset";
  const differs = at - Date.parse(reading.now);
  const jump = reading.unconfirmed_jump_s;
  const put = async (body: { now: string } | { confirm: true }) => {
    if (!(await work.run(() => hub.api.put("/system/clock", body)))) return;
    toast({ tone: "ok", title: t("clock.done") });
    setTyped("");
    onChanged();
  };
  const instant = instantOf(typed);
  // A time server, the console or a person stand for the others.
  const unconfirmed = source === "unset" || source === "floor" || source === "rtc";
  return (
    <div className="flex flex-col gap-4 p-4">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
        <div>
          <p className="text-lg font-semibold tabular-nums">{now}</p>
          <p className="mt-0.5 text-sm text-fg-muted">{t(`clock.${source as Source}`)}</p>
        </div>
        <Pill tone={look.tone} icon={look.icon}>{t(jump !== undefined ? "clock.jumped" : reading.trusted ? "clock.trusted" : "clock.untrusted")}</Pill>
      </div>
      {jump !== undefined && (
        <Banner
          tone="bad" icon={ClockAlert} testId="clock-jump"
          title={t("clock.jump", { span: spanOf(jump * 1000) })}
          actions={may && <Button kind="primary" busy={work.busy} disabled={!canWrite} onClick={() => void put({ confirm: true })}>{t("clock.confirm")}</Button>}
        >
          {t("clock.jump.detail", { time: exact(Date.parse(reading.system)) })}
        </Banner>
      )}
      {Math.abs(differs) > slack && <p className="text-sm text-warn">{t(differs > 0 ? "clock.behind" : "clock.ahead", { span: spanOf(Math.abs(differs)) })}</p>}
      {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      {may && (
        <>
          <div className="flex flex-wrap gap-3">
            <Button icon={Smartphone} busy={work.busy} disabled={!canWrite} onClick={() => void put({ now: new Date().toISOString() })}>{t("clock.fromHere")}</Button>
            {jump === undefined && unconfirmed && <Button busy={work.busy} disabled={!canWrite} onClick={() => void put({ confirm: true })}>{t("clock.confirm")}</Button>}
          </div>
          <Fold title={t("clock.type")}>
            <form
              onSubmit={(e) => {
                e.preventDefault();
                if (instant !== undefined && !work.busy) void put({ now: instant });
              }}
              className="flex flex-wrap items-end gap-3 pt-1"
            >
              <div className="min-w-56 flex-1"><TextField label={t("clock.time")} type="datetime-local" step={1} value={typed} onChange={(e) => setTyped(e.target.value)} /></div>
              <Button type="submit" disabled={instant === undefined || !canWrite} busy={work.busy}>{t("clock.set")}</Button>
            </form>
          </Fold>
        </>
      )}
    </div>
  );
}
