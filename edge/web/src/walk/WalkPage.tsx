import {
  Banner, Button, DataView, Dialog, DialogActions, Mark, Notice, Pill, Section, Skeletons, TextField, classes, saveFile, useCell, useFormats, useItem,
  useWork, type Tone,
} from "@obedio/web";
import { ArrowLeft, ArrowRight, BellRing, CircleCheck, ClipboardCheck, Download, Flag, Printer, RotateCcw, TriangleAlert, type LucideIcon } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import type { Walk, WalkButton, WalkRoom } from "../api/resources";
import { useCanWrite, useHub, usePermits, useReach, useSession, useSystem, useT } from "../context";
import { walk as texts } from "../messages/walk";
import { BackLink } from "../shell/BackLink";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { stateOf } from "../shell/reading";
import { decksOf } from "../rooms/decks";
import { csvOf, isDone, placeOf } from "./report";

/** The commissioning walk: a phone leads from room to room, then a report is printed. */
export function WalkPage() {
  const t = useT(texts);
  return (
    <Page title={t("nav.walk")}>
      <BackLink to="/mqtt/rooms">{t("nav.rooms")}</BackLink>
      <Guard needs="requests.read"><Walking /></Guard>
    </Page>
  );
}

function Walking() {
  const t = useT(texts);
  const hub = useHub();
  const reach = useReach();
  const { value, error } = useCell(hub.walk);
  const { user } = useSession();
  useEffect(() => hub.followWalk(), [hub]);
  const never = value === undefined && error?.status === 404;
  return (
    <DataView
      state={never ? reach : stateOf(value, error, error === undefined, reach, "requests.read")}
      quietLink
      onRetry={() => void hub.readWalk()}
      empty={{ title: t("walk.none") }}
      skeleton={<Skeletons count={1} itemClass="h-96" className="flex flex-col gap-5" />}
    >
      {never && <Begin title={t("walk.none")} />}
      {value && value.ended_at === undefined && (
        <>
          {value.by.id !== user.user_id && <div className="mb-4 print:hidden"><Banner tone="accent" icon={ClipboardCheck} title={t("walk.under")}>{t("walk.under.by", { name: value.by.name || value.by.id })}</Banner></div>}
          <Leading walk={value} />
        </>
      )}
      {value?.ended_at !== undefined && (
        <>
          <div className="mb-5 print:hidden"><Begin title={t("walk.start.new")} again /></div>
          <Report walk={value} />
        </>
      )}
    </DataView>
  );
}

function Begin({ title, again = false }: { title: string; again?: boolean }) {
  const t = useT(texts);
  const may = usePermits("devices.write");
  const canWrite = useCanWrite();
  const [asking, setAsking] = useState(false);
  const begin = may && <Button kind={again ? "secondary" : "primary"} icon={ClipboardCheck} disabled={!canWrite} onClick={() => setAsking(true)}>{again ? t("walk.start.new") : t("walk.start")}</Button>;
  return (
    <>
      {again ? begin : <Notice testId="walk-none" icon={ClipboardCheck} title={title} detail={t("walk.detail")}>{begin}</Notice>}
      {asking && <ChooseRooms onClose={() => setAsking(false)} />}
    </>
  );
}

/** All rooms, or those of some decks. */
function ChooseRooms({ onClose }: { onClose: () => void }) {
  const t = useT(texts);
  const hub = useHub();
  const work = useWork();
  const { collator } = useFormats();
  const [reading, setReading] = useState(true);
  useEffect(() => {
    hub.readRooms();
    return hub.rooms.subscribe(() => setReading(hub.rooms.status.phase === "loading"));
  }, [hub]);
  const decks = useMemo(() => {
    const withButtons = new Set([...hub.devices.values()].filter((d) => d.type === "button" && d.presence.state !== "retired").map((d) => d.room));
    return reading ? [] : decksOf([...hub.rooms.values()].filter((r) => withButtons.has(r.room_id)), collator);
  }, [hub, reading, collator]);
  const start = (rooms?: string[]) =>
    void work.run(async () => hub.walk.set({ value: await hub.api.post<Walk>("/walk", rooms ? { rooms } : {}) })).then((done) => done && onClose());
  return (
    <Dialog open onOpenChange={onClose} title={t("walk.start.title")} description={t("walk.detail")} testId="walk-start">
      <div className="flex flex-col gap-3">
        <Button large kind="primary" busy={work.busy} onClick={() => start()}>{t("walk.start.all")}</Button>
        {decks.length > 1 && decks.map((d) => (
          <Button key={d.name} large busy={work.busy} onClick={() => start(d.rooms.map((r) => r.room_id))}>
            {t("walk.start.deck", { deck: d.name || t("walk.start.noDeck"), n: d.rooms.length })}
          </Button>
        ))}
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      </div>
    </Dialog>
  );
}

/** The room where the walk is, its buttons, and the way on. */
function Leading({ walk }: { walk: Walk }) {
  const t = useT(texts);
  const hub = useHub();
  const work = useWork();
  const canWrite = useCanWrite();
  const may = usePermits("devices.write");
  const [ending, setEnding] = useState(false);
  const { at, room, before, next } = placeOf(walk);
  const done = walk.heard + walk.failed;
  const put = (run: () => Promise<Walk>) => work.run(async () => hub.walk.set({ value: await run() }));
  const enter = (to: WalkRoom) => void put(() => hub.api.put<Walk>("/walk/room", { room: to.room }));
  const end = () => void put(() => hub.api.post<Walk>("/walk/end")).then((ended) => ended && setEnding(false));
  return (
    <div data-testid="walk" className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-[minmax(0,1.4fr)_minmax(0,1fr)] print:hidden">
      <div className="flex flex-col gap-5">
        <div>
          <div className="flex items-baseline justify-between gap-3 text-sm">
            <span className="font-medium">{t("walk.progress", { done, of: walk.buttons })}</span>
            {walk.failed > 0 && <Mark tone="bad" icon={TriangleAlert}>{t("walk.failed")} {walk.failed}</Mark>}
          </div>
          <div role="progressbar" aria-label={t("nav.walk")} aria-valuemin={0} aria-valuemax={walk.buttons} aria-valuenow={done} className="mt-2 flex h-2 overflow-hidden rounded-full bg-line">
            <span className="bg-ok" style={{ width: `${(walk.heard / Math.max(1, walk.buttons)) * 100}%` }} />
            <span className="bg-bad" style={{ width: `${(walk.failed / Math.max(1, walk.buttons)) * 100}%` }} />
          </div>
        </div>
        {room && (
          <section aria-label={room.name} data-testid="walk-room" data-room-id={room.room} className="rounded-card border-2 border-accent bg-ink-850 p-5">
            <p className="text-xs text-fg-dim">{[t("walk.room.of", { n: at + 1, of: walk.rooms.length }), room.deck].filter(Boolean).join(" · ")}</p>
            <h2 className="text-xl font-semibold">{room.name}</h2>
            <ul className="mt-4 flex flex-col gap-3">
              {room.buttons.map((b) => <WalkedButton key={b.device_id} button={b} put={put} busy={work.busy} />)}
            </ul>
          </section>
        )}
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        {may && (
          <div className="flex gap-3">
            <Button large icon={ArrowLeft} disabled={!before || !canWrite} busy={work.busy} onClick={() => before && enter(before)}>{t("walk.previous")}</Button>
            {next ? (
              <Button large kind="primary" className="min-w-0 flex-1 [&>span]:truncate" disabled={!canWrite} busy={work.busy} onClick={() => enter(next)}>
                <span>{t("walk.next", { room: next.name })}</span>
                <ArrowRight aria-hidden className="size-5 shrink-0" />
              </Button>
            ) : (
              <Button large kind="primary" icon={Flag} className="flex-1" disabled={!canWrite} onClick={() => setEnding(true)}>{t("walk.end")}</Button>
            )}
          </div>
        )}
      </div>
      <Section title={t("walk.rooms")} actions={may && next && <Button icon={Flag} disabled={!canWrite} onClick={() => setEnding(true)}>{t("walk.end")}</Button>}>
        <ul className="max-h-[60dvh] divide-y divide-line overflow-y-auto">
          {walk.rooms.map((r) => <RoomRow key={r.room} room={r} here={r.room === walk.room} disabled={!may || !canWrite || work.busy} onGo={() => enter(r)} />)}
        </ul>
      </Section>
      <Dialog
        open={ending}
        onOpenChange={setEnding}
        title={t("walk.end.title")}
        description={walk.buttons > done ? t("walk.end.open", { n: walk.buttons - done }) : t("walk.last")}
        testId="walk-end"
      >
        <DialogActions>
          <Button onClick={() => setEnding(false)}>{t("walk.end.keep")}</Button>
          <Button kind="primary" busy={work.busy} onClick={end}>{t("walk.end")}</Button>
        </DialogActions>
      </Dialog>
    </div>
  );
}

const looks: Record<WalkButton["state"], { icon: LucideIcon; tone: Tone }> = {
  waiting: { icon: BellRing, tone: "accent" }, heard: { icon: CircleCheck, tone: "ok" }, failed: { icon: TriangleAlert, tone: "bad" },
};

function RoomRow({ room, here, disabled, onGo }: { room: WalkRoom; here: boolean; disabled: boolean; onGo: () => void }) {
  const t = useT(texts);
  const failed = room.buttons.some((b) => b.state === "failed");
  const state = failed ? "failed" : isDone(room) ? "heard" : "waiting";
  const look = looks[state];
  return (
    <li>
      <button
        type="button"
        disabled={disabled}
        aria-current={here ? "location" : undefined}
        aria-label={t("walk.go", { room: room.name })}
        onClick={onGo}
        className={classes("flex min-h-13 w-full items-center justify-between gap-3 px-4 text-left text-sm -outline-offset-2! hover:bg-ink-800 disabled:pointer-events-none", here && "bg-accent-soft")}
      >
        <span className="min-w-0 truncate font-medium">{room.name}</span>
        <Mark tone={state === "waiting" ? "idle" : look.tone} icon={look.icon} className="text-xs">{t(`walk.${state}`)}</Mark>
      </button>
    </li>
  );
}

/** Signal and battery, or that they are not told. */
function useMeasured() {
  const t = useT(texts);
  return (signal: number | undefined, battery: number | undefined) => [
    signal === undefined ? t("walk.noSignal") : t("walk.signal", { value: signal }),
    battery === undefined ? t("walk.noBattery") : t("walk.battery", { percent: battery }),
  ];
}

function WalkedButton({ button, put, busy }: { button: WalkButton; put: (run: () => Promise<Walk>) => Promise<boolean>; busy: boolean }) {
  const t = useT(texts);
  const hub = useHub();
  const canWrite = useCanWrite();
  const may = usePermits("devices.write");
  const { time } = useFormats();
  const measured = useMeasured();
  const device = useItem(hub.devices, button.device_id);
  const [failing, setFailing] = useState(false);
  const [note, setNote] = useState("");
  const look = looks[button.state];
  const name = button.name || button.device_id;
  const judge = (state: "failed" | "waiting", why = "") =>
    put(() => hub.api.put<Walk>(`/walk/devices/${encodeURIComponent(button.device_id)}`, { state, ...(why ? { note: why } : {}) }));
  return (
    <li data-testid="walk-button" data-device-id={button.device_id} data-state={button.state} className="flex flex-wrap items-center justify-between gap-3 rounded-control bg-ink-800 px-4 py-3">
      <div className="min-w-0 flex-1 basis-44">
        <p className="flex flex-wrap items-center gap-2 font-medium">{name} <Pill tone={look.tone} icon={look.icon}>{t(`walk.${button.state}`)}</Pill></p>
        <p aria-live="polite" className="mt-1 text-sm text-fg-muted tabular-nums">
          {button.state === "heard"
            ? [button.at ? time(Date.parse(button.at)) : "", ...measured(button.signal_strength, button.battery), button.via ? t("walk.via", { via: button.via }) : ""].filter(Boolean).join(" · ")
            : button.state === "failed"
              ? button.note || name
              : t("walk.press")}
        </p>
        {button.state !== "heard" && device && <p className="text-xs text-fg-dim tabular-nums">{t("walk.now")}: {measured(device.signal_strength, device.battery).join(" · ")}</p>}
      </div>
      {may && (button.state === "waiting"
        ? <Button kind="danger" busy={busy} disabled={!canWrite} aria-label={t("walk.failLabel", { name })} onClick={() => setFailing(true)}>{t("walk.fail")}</Button>
        : <Button icon={RotateCcw} busy={busy} disabled={!canWrite} aria-label={t("walk.againLabel", { name })} onClick={() => void judge("waiting")}>{t("walk.again")}</Button>)}
      <Dialog open={failing} onOpenChange={setFailing} title={t("walk.fail.title", { name })} description={t("walk.fail.detail")} testId="walk-fail">
        <form
          className="flex flex-col gap-4"
          onSubmit={(e) => {
            e.preventDefault();
            void judge("failed", note.trim()).then((done) => done && setFailing(false));
          }}
        >
          <TextField label={t("walk.fail.note")} value={note} maxLength={300} onChange={(e) => setNote(e.target.value)} />
          <DialogActions>
            <Button onClick={() => setFailing(false)}>{t("dialog.cancel")}</Button>
            <Button kind="danger" type="submit" busy={busy}>{t("walk.fail.do")}</Button>
          </DialogActions>
        </form>
      </Dialog>
    </li>
  );
}

/** What came of a walk, for paper too. */
function Report({ walk }: { walk: Walk }) {
  const t = useT(texts);
  const system = useSystem();
  const { minute, time } = useFormats();
  const name = walk.by.name || walk.by.id;
  const from = minute(Date.parse(walk.started_at));
  const head = "py-2 pr-4 font-normal whitespace-nowrap";
  const cell = "py-2 pr-4";
  return (
    <article data-testid="walk-report" className="rounded-card border border-line bg-ink-850 print:border-0 print:bg-transparent">
      <header className="flex flex-wrap items-start justify-between gap-4 px-4 py-4 print:px-0">
        <div>
          <h2 className="text-lg font-semibold">{t("walk.report.title", { site: system?.site_name ?? "" })}</h2>
          <p className="text-sm text-fg-muted print:text-on-paper">
            {walk.ended_at ? t("walk.report.by", { name, from, to: minute(Date.parse(walk.ended_at)) }) : t("walk.report.open", { name, from })}
          </p>
          <p className="mt-2 flex flex-wrap gap-x-5 gap-y-1 text-sm">
            <Mark tone="ok" icon={CircleCheck}>{t("walk.heard")} {walk.heard}</Mark>
            <Mark tone={walk.failed > 0 ? "bad" : "idle"} icon={TriangleAlert}>{t("walk.failed")} {walk.failed}</Mark>
            <Mark tone={walk.buttons > walk.heard + walk.failed ? "warn" : "idle"} icon={BellRing}>{t("walk.waiting")} {walk.buttons - walk.heard - walk.failed}</Mark>
          </p>
        </div>
        <div className="flex gap-3 print:hidden">
          <Button icon={Printer} onClick={() => print()}>{t("walk.print")}</Button>
          <Button icon={Download} onClick={() => saveFile(`walk-${walk.started_at.slice(0, 10)}.csv`, "text/csv", csvOf(walk))}>{t("walk.csv")}</Button>
        </div>
      </header>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls is reached by the keyboard */}
      <div role="group" aria-label={t("walk.report")} tabIndex={0} className="overflow-x-auto px-4 pb-4 print:overflow-visible print:px-0">
        <table className="w-full min-w-[40rem] text-sm tabular-nums print:min-w-0">
          <thead>
            <tr className="border-b border-line text-left text-xs text-fg-dim print:text-on-paper">
              {(["room", "button", "result", "time", "signal", "battery", "note"] as const).map((c) => <th key={c} scope="col" className={head}>{t(`walk.col.${c}`)}</th>)}
            </tr>
          </thead>
          <tbody>
            {walk.rooms.flatMap((r) =>
              r.buttons.map((b, i) => {
                const look = looks[b.state];
                return (
                  <tr key={b.device_id} className="break-inside-avoid border-b border-line/60 align-top">
                    <td className={`${cell} font-medium`}>{i === 0 ? r.name : ""}</td>
                    <td className={cell}>{b.name || b.device_id}</td>
                    <td className={cell}><Mark tone={b.state === "waiting" ? "warn" : look.tone} icon={look.icon} className="print:text-on-paper">{t(`walk.${b.state}`)}</Mark></td>
                    <td className={cell}>{b.at ? time(Date.parse(b.at)) : ""}</td>
                    <td className={cell}>{b.signal_strength === undefined ? "" : t("walk.signal", { value: b.signal_strength })}</td>
                    <td className={cell}>{b.battery === undefined ? "" : t("walk.percent", { percent: b.battery })}</td>
                    <td className={cell}>{b.note}</td>
                  </tr>
                );
              }),
            )}
          </tbody>
        </table>
        <p className="mt-16 hidden w-64 border-t border-current pt-1 text-xs print:block">{t("walk.signed")}</p>
      </div>
    </article>
  );
}
