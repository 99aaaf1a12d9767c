import {
  Button, Chip, DataView, Facts, IconButton, Mark, Notice, RequestBadge, Section, Skeletons, classes, lookOf, priorityLook, saveFile, spanOf, stopwatch,
  toneText, useFormats, useItem, useWebMessages, type Tone,
} from "@obedio/web";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import {
  ArrowUpRight, BellRing, Braces, Check, CircleCheck, CircleDot, CircleSlash, CircleX, Clock, Compass, Download, Footprints, Handshake, HardDriveDownload, List,
  Pause, Play, RotateCcw, Send, SkipBack, StepBack, StepForward, Table2, TrendingUp, TriangleAlert, type LucideIcon,
} from "lucide-react";
import { Suspense, lazy, useEffect, useMemo, useRef, useState } from "react";
import type { CallRequest, Timeline, TimelineEntry } from "../api/resources";
import { useKind, useWhy, recipients } from "../calls/words";
import { useCanWrite, useHub, usePermits, useT } from "../context";
import { story } from "../messages/story";
import { BackLink } from "../shell/BackLink";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { useReading } from "../shell/reading";
import { csvOf, keysOf, knowingAfter, spanOfEntries, stateAfter, upTo, type Knowing } from "./replay";

const Reopen = lazy(() => import("../calls/Reopen").then((m) => ({ default: m.Reopen })));

/** How long a replay takes at most, in milliseconds, however long the call was. */
const replayTakes = 12_000;

/** One call: all that happened to it, as a replay and as a list. */
export function StoryPage() {
  const t = useT(story);
  const { requestId } = useParams({ from: "/mqtt/requests/$requestId" });
  const request = useItem(useHub().requests, requestId);
  const room = request?.room_name || request?.room;
  return (
    <Page title={room ? t("story.title", { room }) : t("story.title.unknown")}>
      <BackLink to="/mqtt/dashboard">{t("story.back")}</BackLink>
      <Guard needs="requests.read"><Reading key={requestId} id={requestId} live={request} /></Guard>
    </Page>
  );
}

function Reading({ id, live }: { id: string; live: CallRequest | undefined }) {
  const t = useT(story);
  // The call's events say that there is more of its story; it is read once for many.
  const stamp = live ? `${live.version} ${live.entries} ${live.presses} ${JSON.stringify(live.notified ?? null)}` : "";
  const changes = useSettledCount(stamp);
  const { data, state, missing, reading } = useReading<Timeline>({ path: `/requests/${encodeURIComponent(id)}/timeline`, changes, needs: "requests.read" });
  if (missing) return <Notice testId="story-missing" icon={Compass} title={t("story.missing")} detail={t("story.missing.detail")} />;
  return (
    <DataView
      state={data && data.entries.length === 0 && state.kind === "live" ? { kind: "empty" } : state}
      quietLink
      onRetry={() => void reading.refetch()}
      empty={{ title: t("story.empty") }}
      skeleton={<Skeletons count={2} itemClass="h-64" className="flex flex-col gap-5" />}
    >
      {data && <Story timeline={data} />}
    </DataView>
  );
}

/** Grows half a second after the last of any number of changes of a text. */
function useSettledCount(text: string): number {
  const [count, setCount] = useState(0);
  const first = useRef(text);
  useEffect(() => {
    if (text === first.current) return;
    const timer = setTimeout(() => {
      first.current = text;
      setCount((n) => n + 1);
    }, 500);
    return () => clearTimeout(timer);
  }, [text]);
  return count;
}

function Story({ timeline: { request, entries } }: { timeline: Timeline }) {
  const t = useT(story);
  const { from, to } = useMemo(() => spanOfEntries(entries), [entries]);
  // Undefined is the end, which moves while the call goes on.
  const [at, setAt] = useState<number>();
  const now = at ?? to;
  const done = upTo(entries, now);
  return (
    <div data-testid="story" className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-[minmax(0,1fr)_minmax(0,1.35fr)]">
      <div className="flex flex-col gap-5 lg:sticky lg:top-5">
        <CallFacts request={request} />
        <Section title={t("story.replay")} note={t("story.replay.note", { n: entries.length })} testId="replay">
          <Player entries={entries} from={from} to={to} now={now} done={done} onAt={setAt} />
          <Knows knowing={knowingAfter(entries, done)} />
        </Section>
      </div>
      <Moments request={request} entries={entries} done={done} onAt={setAt} />
    </div>
  );
}

function CallFacts({ request }: { request: CallRequest }) {
  const t = useT(story);
  const { exact } = useFormats();
  const kindOf = useKind();
  const navigate = useNavigate();
  const canWrite = useCanWrite();
  const mayOpen = usePermits("requests.write");
  const [reopening, setReopening] = useState(false);
  const look = lookOf(priorityLook, request.priority);
  const since = (end: string | undefined) => (end ? stopwatch(Date.parse(end) - Date.parse(request.opened_at)) : undefined);
  const by = (time: string | undefined, who: CallRequest["accepted_by"]) => (time ? (who?.name || who?.id ? t("story.by", { time, name: who.name || who.id }) : time) : t("story.notYet"));
  return (
    <Section
      title={t("story.facts")}
      testId="call-facts"
      actions={mayOpen && request.ended_at && <Button icon={RotateCcw} disabled={!canWrite} onClick={() => setReopening(true)}>{t("calls.reopen")}</Button>}
    >
      <Facts
        className="grid-cols-[repeat(auto-fill,minmax(min(100%,8.5rem),1fr))]!"
        items={[
          { label: t("story.state"), value: <RequestBadge state={request.state} /> },
          { label: t("story.priority"), value: <Mark tone={look.tone} icon={look.icon}>{t(`priority.${request.priority}`)}</Mark> },
          { label: t("story.kind"), value: kindOf(request) },
          { label: t("story.opened"), value: <span className="text-sm">{exact(Date.parse(request.opened_at))}</span> },
          { label: t("story.accepted"), value: by(since(request.accepted_at), request.accepted_by) },
          { label: t("story.ended"), value: by(since(request.ended_at), request.ended_by) },
          ...(request.device_id ? [{ label: t("story.presses"), value: `${request.presses}` }] : []),
          ...(request.late_by_ms ? [{ label: t("story.late"), value: <span className="text-warn">{t("calls.late", { span: spanOf(request.late_by_ms) })}</span> }] : []),
          ...(request.cancel_reason ? [{ label: t("story.reason"), value: <Reason reason={request.cancel_reason} /> }] : []),
          ...(request.reopens
            ? [{ label: t("story.reopens"), value: <Link to="/mqtt/requests/$requestId" params={{ requestId: request.reopens }} className="inline-flex items-center gap-1 underline underline-offset-4">{t("story.reopens.link")}<ArrowUpRight aria-hidden className="size-4" /></Link> }]
            : []),
        ]}
      />
      {(request.note || request.purpose === "drill") && (
        <p className="px-4 pb-4 text-sm text-fg-muted">{request.purpose === "drill" ? t("story.drill") : t("calls.note", { note: request.note ?? "" })}</p>
      )}
      {reopening && (
        <Suspense>
          <Reopen request={request} onClose={() => setReopening(false)} onOpened={(next) => void navigate({ to: "/mqtt/requests/$requestId", params: { requestId: next.request_id } })} />
        </Suspense>
      )}
    </Section>
  );
}

const reasons = ["guest", "false_press", "duplicate", "other"] as const;

function Reason({ reason }: { reason: string }) {
  const t = useT(story);
  const known = reasons.find((r) => r === reason);
  return <>{known ? t(`cancel.${known}`) : reason}</>;
}

interface PlayerProps {
  entries: readonly TimelineEntry[];
  from: number;
  to: number;
  now: number;
  done: number;
  onAt: (at: number | undefined) => void;
}

function Player({ entries, from, to, now, done, onAt }: PlayerProps) {
  const t = useT(story);
  const say = useEvent();
  const [playing, setPlaying] = useState(false);
  const speed = Math.max(1, (to - from) / replayTakes);
  const place = useRef(now);
  useEffect(() => {
    place.current = now;
  }, [now]);
  useEffect(() => {
    if (!playing) return;
    // Who wants no motion sees it moment by moment.
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    let last = performance.now();
    const timer = setInterval(() => {
      const passed = performance.now() - last;
      last = performance.now();
      const next = place.current + passed * speed;
      if (next >= to) {
        setPlaying(false);
        onAt(undefined);
      } else onAt(next);
    }, still ? 1000 : 50);
    return () => clearInterval(timer);
  }, [playing, speed, to, onAt]);
  const jump = (at: number | undefined) => {
    setPlaying(false);
    onAt(at);
  };
  const times = [...new Set(entries.map((e) => e.after_ms))];
  const keys = useMemo(() => keysOf(entries), [entries]);
  const before = times.findLast((ms) => ms < now);
  const after = times.find((ms) => ms > now);
  const step = Math.max(1, Math.round((to - from) / 500));
  const place100 = (ms: number) => `${((ms - from) / (to - from)) * 100}%`;
  const last = entries[done - 1];
  const words = (ms: number) => (ms < 0 ? t("story.before", { time: stopwatch(-ms) }) : t("story.at", { time: stopwatch(ms) }));
  const current = last ? say(last) : undefined;
  return (
    <div className="px-4 pt-4">
      <p aria-live="polite" className="flex min-h-12 items-start gap-2.5">
        {last && current && <current.icon aria-hidden className={classes("mt-0.5 size-5 shrink-0", toneText[current.tone])} />}
        <span className="min-w-0">
          <span data-testid="moment" className="block text-base font-medium">{current ? [current.word, current.who].filter(Boolean).join(" · ") : ""}</span>
          <span className="block text-xs text-fg-muted tabular-nums">{words(now)}{current?.detail && <> · {current.detail}</>}</span>
        </span>
      </p>
      <div className="relative my-2 h-11">
        <div aria-hidden className="absolute inset-x-[11px] top-1/2 h-1 -translate-y-1/2 rounded-full bg-line">
          <div className="h-full rounded-full bg-accent" style={{ width: place100(now) }} />
          {entries.map((e, i) => (
            <span
              key={keys[i]}
              className={classes("absolute top-1/2 size-2.5 -translate-x-1/2 -translate-y-1/2 rounded-full border-2 border-ink-850", i < done ? dots[looks[e.event].tone] : "bg-edge")}
              style={{ left: place100(e.after_ms) }}
            />
          ))}
        </div>
        <input
          type="range"
          aria-label={t("story.slider")}
          aria-valuetext={[words(now), current?.word ?? ""].join(", ")}
          min={from}
          max={to}
          step={step}
          value={Math.round(now)}
          onChange={(e) => jump(Number(e.target.value) > to - step ? undefined : Number(e.target.value))}
          className="replay-slider absolute inset-x-0 h-11 w-full cursor-pointer"
        />
      </div>
      <div className="flex flex-wrap items-center justify-center gap-1 pb-3">
        <IconButton icon={SkipBack} label={t("story.first")} onClick={() => jump(from)} />
        <IconButton icon={StepBack} label={t("story.previous")} disabled={before === undefined} onClick={() => jump(before)} />
        <Button
          kind="primary"
          icon={playing ? Pause : Play}
          className="min-w-32"
          onClick={() => {
            if (!playing && now >= to) onAt(from);
            setPlaying(!playing);
          }}
        >
          {playing ? t("story.pause") : t("story.play")}
        </Button>
        <IconButton icon={StepForward} label={t("story.next")} disabled={after === undefined} onClick={() => jump(after === to ? undefined : after)} />
        <span className="ml-auto"><At state={stateAfter(entries, done)} /></span>
      </div>
    </div>
  );
}

function At({ state }: { state: ReturnType<typeof stateAfter> }) {
  return state ? <RequestBadge state={state} /> : null;
}

const knowingLook: Record<Knowing["state"], { icon: LucideIcon; tone: Tone; key: "story.event.sent" | "story.event.told" | "story.event.unreachable" | "story.event.declined" }> = {
  sent: { icon: Send, tone: "idle", key: "story.event.sent" },
  told: { icon: CircleCheck, tone: "ok", key: "story.event.told" },
  unreachable: { icon: TriangleAlert, tone: "warn", key: "story.event.unreachable" },
  declined: { icon: CircleSlash, tone: "idle", key: "story.event.declined" },
};

function Knows({ knowing }: { knowing: readonly Knowing[] }) {
  const t = useT(story);
  const why = useWhy();
  return (
    <div className="border-t border-line px-4 py-3">
      <h3 className="text-xs text-fg-dim">{t("story.knows")}</h3>
      {knowing.length === 0 && <p className="py-2 text-sm text-fg-muted">{t("story.knows.none")}</p>}
      <ul data-testid="knowing" className="grid gap-x-6 sm:grid-cols-2">
        {knowing.map((k) => {
          const look = knowingLook[k.state];
          return (
            <li key={k.key} className="flex min-w-0 items-baseline justify-between gap-3 py-1.5 text-sm">
              <span className="min-w-0 truncate font-medium">{k.name}</span>
              <Mark tone={look.tone} icon={look.icon} className="text-xs">{k.state === "unreachable" && k.why ? why(k.why) : t(look.key)}</Mark>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

const looks: Record<TimelineEntry["event"], { icon: LucideIcon; tone: Tone }> = {
  press: { icon: BellRing, tone: "accent" }, opened: { icon: CircleDot, tone: "accent" }, stored: { icon: HardDriveDownload, tone: "idle" },
  sent: { icon: Send, tone: "idle" }, told: { icon: CircleCheck, tone: "ok" }, unreachable: { icon: TriangleAlert, tone: "warn" },
  escalated: { icon: TrendingUp, tone: "warn" }, offered: { icon: Handshake, tone: "accent" }, offer_ended: { icon: Clock, tone: "idle" },
  declined: { icon: CircleSlash, tone: "idle" }, accepted: { icon: Footprints, tone: "ok" }, handed_over: { icon: Handshake, tone: "ok" },
  completed: { icon: Check, tone: "ok" }, cancelled: { icon: CircleX, tone: "idle" }, missed: { icon: TriangleAlert, tone: "bad" },
};
const dots: Record<Tone, string> = {
  ok: "bg-ok", warn: "bg-warn", bad: "bg-bad", accent: "bg-accent", idle: "bg-idle", "warn-strong": "bg-warn", "bad-strong": "bg-emergency",
};
const causes = ["time", "nobody_reachable"] as const;
const ends = ["expired", "declined", "withdrawn"] as const;

/** The words for one moment. */
function useEvent() {
  const t = useT(story);
  const web = useWebMessages();
  const why = useWhy();
  return (e: TimelineEntry) => {
    const cause = causes.find((c) => c === e.why);
    const end = ends.find((c) => c === e.why);
    const to = recipients.find((r) => r === e.to);
    const actor = e.by?.kind === "system" ? t("story.system") : e.by?.name || e.by?.id;
    const toWatch = e.event === "sent" || e.event === "told" || e.event === "unreachable";
    const details = [
      e.press && t(`story.press.${e.press.press_type}`),
      e.press?.late_by_ms ? t("story.press.late", { time: web("time.span", { span: spanOf(e.press.late_by_ms) }) }) : undefined,
      e.press?.via && t("story.press.via", { via: e.press.via }),
      e.event === "unreachable" && e.why ? why(e.why) : undefined,
      e.event === "escalated" ? (cause ? t(`story.cause.${cause}`) : e.why === "declined" ? t("story.cause.declined") : e.why) : undefined,
      e.event === "escalated" && to ? t("story.to", { to: t(`calls.to.${to}`) }) : undefined,
      e.event === "offer_ended" ? (end ? t(`story.end.${end}`) : e.why) : undefined,
      toWatch && e.stage && e.stage !== "open" ? (e.stage === "accepted" ? t("story.stage.accepted") : t("story.stage.ended")) : undefined,
      toWatch && e.name ? e.device_id : undefined,
      e.note ? t("calls.note", { note: e.note }) : undefined,
    ];
    const who = toWatch ? e.name || e.device_id : e.event === "offered" || e.event === "offer_ended" ? e.name || e.person_id : e.event === "press" ? e.device_id : e.event === "escalated" || e.event === "stored" ? undefined : actor;
    return { word: t(`story.event.${e.event}`), who, detail: details.filter(Boolean).join(" · "), ...looks[e.event] };
  };
}

function Moments({ request, entries, done, onAt }: { request: CallRequest; entries: readonly TimelineEntry[]; done: number; onAt: (at: number | undefined) => void }) {
  const t = useT(story);
  const say = useEvent();
  const { time } = useFormats();
  const [table, setTable] = useState(false);
  const keys = useMemo(() => keysOf(entries), [entries]);
  const name = `call-${request.room}-${request.opened_at.slice(0, 19).replaceAll(":", "-")}`;
  const head = "px-4 py-2 font-normal whitespace-nowrap";
  return (
    <Section
      title={t("story.list")}
      testId="moments"
      actions={
        <>
          <div role="group" aria-label={t("story.view")} className="flex gap-2">
            <Chip pressed={!table} onPress={() => setTable(false)} label={t("story.view.list")} icon={List} />
            <Chip pressed={table} onPress={() => setTable(true)} label={t("story.view.table")} icon={Table2} />
          </div>
          <Button icon={Braces} onClick={() => saveFile(`${name}.json`, "application/json", JSON.stringify({ request, entries }, null, 2))}>{t("story.json")}</Button>
          <Button icon={Download} onClick={() => saveFile(`${name}.csv`, "text/csv", csvOf(entries))}>{t("story.csv")}</Button>
        </>
      }
    >
      {table ? (
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls is reached by the keyboard
        <div role="group" aria-label={t("story.list")} tabIndex={0} className="overflow-x-auto">
          <table className="w-full min-w-[38rem] text-sm tabular-nums">
            <thead>
              <tr className="border-b border-line text-left text-xs text-fg-dim">
                {(["story.time", "story.after", "story.what", "story.who", "story.detail"] as const).map((k) => <th key={k} scope="col" className={head}>{t(k)}</th>)}
              </tr>
            </thead>
            <tbody>
              {entries.map((e, i) => {
                const { word, who, detail } = say(e);
                return (
                  <tr key={keys[i]} className="border-b border-line/60 align-top last:border-0">
                    <td className="px-4 py-2 whitespace-nowrap">{time(Date.parse(e.at))}</td>
                    <td className="px-4 py-2">{seconds(e.after_ms)}</td>
                    <td className="px-4 py-2 font-medium">{word}</td>
                    <td className="px-4 py-2">{who}</td>
                    <td className="px-4 py-2 text-fg-muted">{detail}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      ) : (
        <ol className="py-2">
          {entries.map((e, i) => {
            const { word, who, detail, icon: Icon, tone } = say(e);
            return (
              <li key={keys[i]} data-event={e.event}>
                <button
                  type="button"
                  aria-current={i === done - 1 ? "step" : undefined}
                  onClick={() => onAt(e.after_ms)}
                  className={classes("flex min-h-control w-full items-start gap-3 px-4 py-2.5 text-left text-sm -outline-offset-2! hover:bg-ink-800", i === done - 1 && "bg-ink-800")}
                >
                  <Icon aria-hidden className={classes("mt-0.5 size-5 shrink-0", i < done ? toneText[tone] : "text-edge")} />
                  <span className="min-w-0 flex-1">
                    <span className={classes("block", i < done ? "font-medium" : "text-fg-muted")}>{[word, who].filter(Boolean).join(" · ")}</span>
                    {detail && <span className="block text-xs text-fg-muted">{detail}</span>}
                  </span>
                  <span className="shrink-0 text-right text-xs text-fg-dim tabular-nums">{seconds(e.after_ms)}</span>
                </button>
              </li>
            );
          })}
        </ol>
      )}
    </Section>
  );
}

/** +0.042 s within the first minute, +1:05 after it. */
function seconds(ms: number): string {
  const sign = ms < 0 ? "−" : "+";
  const length = Math.abs(ms);
  return length < 60_000 ? `${sign}${(length / 1000).toFixed(length < 10_000 ? 2 : 1)} s` : sign + stopwatch(length);
}
