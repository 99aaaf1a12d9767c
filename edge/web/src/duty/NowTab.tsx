import {
  Banner, Battery, Button, Choice, Dialog, DialogActions, Mark, Notice, Pill, PresenceBadge, RelativeTime, RequestBadge, Section, TextField, classes, lowBattery,
  useCell, useClock, useDerived, useFormats, useItem, useToast, useWords, useWork, type Collection,
} from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { BellOff, Check, CircleCheck, Crown, GraduationCap, PenLine, Plus, TriangleAlert, Undo2, UserRoundX, Users, WatchIcon } from "lucide-react";
import { useState, type FormEvent, type ReactNode } from "react";
import type { CallRequest, Device, Duty, HandoverNote, Serving, WatchReach } from "../api/resources";
import { Timer } from "../calls/CallCard";
import { useOpenRequests } from "../calls/order";
import { useKind, useWhy } from "../calls/words";
import { useCanWrite, useHub, usePermits, useSession, useT } from "../context";
import { duty as texts } from "../messages/duty";
import { nextHour } from "../rooms/decks";
import { ButtonLink } from "../shell/ButtonLink";

const groups = [["duty", "dutypage.on"], ["backup", "dutypage.backup"], ["off", "dutypage.off"]] as const;

/** All that the next watch has to know. */
export function NowTab({ duty }: { duty: Duty }) {
  const t = useT(texts);
  const may = usePermits("crew.write");
  if (duty.crew.length === 0) {
    return (
      <div className="flex flex-col gap-5">
        <Notice testId="duty-empty" icon={Users} title={t("dutypage.empty")} detail={t("dutypage.empty.detail")}>
          {may && <ButtonLink kind="primary" icon={Plus} to="/mqtt/duty" search={{ tab: "crew" }}>{t("dutypage.empty.add")}</ButtonLink>}
        </Notice>
        <Below duty={duty} />
      </div>
    );
  }
  return (
    <div data-testid="duty" className="flex flex-col gap-5">
      {duty.on_duty === 0 && <Banner tone="bad" icon={UserRoundX} title={t("dutypage.nobody")} />}
      {duty.on_duty > 0 && duty.reachable === 0 && <Banner tone="bad" icon={WatchIcon} title={t("dutypage.unreachable")} />}
      {!duty.rostered && <Banner tone="idle" icon={Users} title={t("dutypage.noShifts")} />}
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-3">
        {groups.map(([as, title]) => {
          const people = duty.crew.filter((p) => p.duty === as);
          return (
            <Section key={as} title={t(title)} note={String(people.length)} testId={`duty-${as}`} className={as === "duty" ? "border-accent/60" : ""}>
              {people.length === 0 && <p className="px-4 py-4 text-sm text-fg-muted">{t("dutypage.none")}</p>}
              <ul className="divide-y divide-line">{people.map((p) => <PersonRow key={p.person_id} person={p} duty={duty} />)}</ul>
            </Section>
          );
        })}
      </div>
      <Below duty={duty} />
    </div>
  );
}

function Below({ duty }: { duty: Duty }) {
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-2">
      <div className="flex flex-col gap-5">
        <Handover notes={duty.notes} />
        <OpenCalls />
      </div>
      <div className="flex flex-col gap-5">
        <Weak />
        <Quiet duty={duty} />
        <Spare duty={duty} />
        <BeginDrill />
      </div>
    </div>
  );
}

/** How far ahead a time of day alone is not mistaken for another day's. */
const nearby = 20 * 3_600_000;

/** A time nearby as the clock shows it, others with their date. */
function useWhen(): (at: string) => string {
  const { clock, minute } = useFormats();
  const now = useClock().now();
  return (at) => {
    const time = Date.parse(at);
    return Math.abs(time - now) < nearby ? clock(time) : minute(time);
  };
}

function PersonRow({ person, duty }: { person: Serving; duty: Duty }) {
  const t = useT(texts);
  const when = useWhen();
  const may = usePermits("crew.write");
  const mayWear = usePermits("requests.write");
  const canWrite = useCanWrite();
  const { user } = useSession();
  const [changing, setChanging] = useState(false);
  const [wearing, setWearing] = useState(false);
  return (
    <li data-testid="serving" data-person-id={person.person_id} className="px-4 py-3">
      <div className="flex items-start justify-between gap-3">
        <div className="min-w-0">
          <p className="flex flex-wrap items-center gap-x-2 text-base font-medium">
            {person.name}
            {person.user_id === user.user_id && <span className="text-xs font-normal text-accent-fg">{t("dutypage.you")}</span>}
            {person.lead && <Mark tone="idle" icon={Crown} className="text-xs font-normal">{t("dutypage.lead")}</Mark>}
          </p>
          <p className="text-xs text-fg-muted">
            {[person.until ? t("dutypage.untilWho", { time: when(person.until) }) : "", person.overridden ? t("dutypage.overridden") : "", person.note ? t("calls.note", { note: person.note }) : ""].filter(Boolean).join(" · ")}
          </p>
        </div>
        {may && <Button icon={PenLine} className="-my-1 px-3!" disabled={!canWrite} aria-label={t("dutypage.changeLabel", { name: person.name })} onClick={() => setChanging(true)}>{t("dutypage.change")}</Button>}
      </div>
      {mayWear ? (
        <button type="button" disabled={!canWrite} aria-label={t("dutypage.watch.ofLabel", { name: person.name })} onClick={() => setWearing(true)} className="-mx-2 mt-1 flex min-h-control w-[calc(100%+1rem)] items-center rounded-control px-2 text-left hover:bg-ink-800">
          <Watch watch={person.watch} />
        </button>
      ) : <div className="mt-2"><Watch watch={person.watch} /></div>}
      {changing && <ChangeDuty person={person} onClose={() => setChanging(false)} />}
      {wearing && <ChooseWatch person={person} duty={duty} onClose={() => setWearing(false)} />}
    </li>
  );
}

/** Whether a watch can be reached, on what evidence, and how full it is. */
function Watch({ watch }: { watch: WatchReach | undefined }) {
  const t = useT(texts);
  const why = useWhy();
  const device = useItem(useHub().devices, watch?.device_id ?? "");
  const words = useWords();
  const { state, as_of: asOf } = device?.presence ?? watch?.presence ?? { state: "never_seen", as_of: undefined };
  if (!watch) return <Mark tone="idle" icon={WatchIcon} className="text-sm">{t("dutypage.watch.none")}</Mark>;
  return (
    <span className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-0.5 text-sm">
      {watch.reachable ? <Mark tone="ok" icon={CircleCheck}>{t("dutypage.watch.ok")}</Mark> : <Mark tone="bad" icon={TriangleAlert}>{why(watch.why ?? "")}</Mark>}
      <span className="text-fg-muted"><Battery percent={device?.battery ?? watch.battery} /></span>
      <span className="text-xs text-fg-dim">{watch.name || watch.device_id} · {state === "never_seen" ? words.presence(state) : <>{t("dutypage.watch.heard")} <RelativeTime at={asOf} focusable={false} /></>}</span>
    </span>
  );
}

const spans = { h4: 4, h8: 8, h12: 12, day: 24 } as const;
type Until = keyof typeof spans | "morning";

function ChangeDuty({ person, onClose }: { person: Serving; onClose: () => void }) {
  const t = useT(texts);
  const hub = useHub();
  const clock = useClock();
  const { zone } = useFormats();
  const work = useWork();
  const [as, setAs] = useState<Serving["duty"]>(person.duty === "duty" ? "off" : "duty");
  const [until, setUntil] = useState<Until>("h8");
  const [note, setNote] = useState("");
  const path = `/duty/${encodeURIComponent(person.person_id)}`;
  const set = async (e: FormEvent) => {
    e.preventDefault();
    const now = clock.now();
    const end = until === "morning" ? nextHour(now, 8, zone) : now + spans[until] * 3_600_000;
    const body = { as, until: new Date(end).toISOString(), ...(note.trim() ? { note: note.trim() } : {}) };
    if (!work.busy && (await work.run(async () => hub.setDuty(await hub.api.put<Duty>(path, body))))) onClose();
  };
  const byShifts = async () => {
    const done = await work.run(async () => {
      await hub.api.delete(path);
      hub.setDuty(await hub.api.get<Duty>("/duty"));
    });
    if (done) onClose();
  };
  return (
    <Dialog open onOpenChange={onClose} title={t("dutypage.change.title", { name: person.name })} description={t("dutypage.change.detail")} testId="change-duty">
      <form onSubmit={(e) => void set(e)} className="flex flex-col gap-4">
        <Choice legend={t("dutypage.change.as")} value={as} onChange={setAs} options={groups.map(([value, label]) => ({ value, label: t(label) }))} />
        <Choice
          legend={t("dutypage.change.until")}
          value={until}
          onChange={setUntil}
          options={[
            ...(["h4", "h8", "h12"] as const).map((value) => ({ value, label: t("dutypage.change.hours", { n: spans[value] }) })),
            { value: "morning" as const, label: t("dutypage.change.morning") },
            { value: "day" as const, label: t("dutypage.change.day") },
          ]}
        />
        <TextField label={t("dutypage.change.note")} value={note} maxLength={200} onChange={(e) => setNote(e.target.value)} />
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        <DialogActions>
          {person.overridden && <Button icon={Undo2} className="mr-auto" busy={work.busy} onClick={() => void byShifts()}>{t("dutypage.change.end")}</Button>}
          <Button kind="primary" type="submit" busy={work.busy}>{t("dutypage.change.do")}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

interface PickProps {
  title: string;
  options: readonly { value: string; label: string; detail?: ReactNode }[];
  chosen: string;
  busy: boolean;
  failure: string | undefined;
  onPick: (value: string) => void;
  onClose: () => void;
}

function Pick({ title, options, chosen, busy, failure, onPick, onClose }: PickProps) {
  return (
    <Dialog open onOpenChange={onClose} title={title} testId="pick">
      <ul className="flex flex-col gap-2">
        {options.map(({ value, label, detail }) => (
          <li key={value}>
            <button
              type="button"
              disabled={busy}
              aria-pressed={value === chosen}
              onClick={() => onPick(value)}
              className={classes("flex min-h-13 w-full items-center justify-between gap-3 rounded-control border px-4 text-left text-sm hover:bg-ink-800 disabled:opacity-60", value === chosen ? "border-accent bg-accent-soft" : "border-edge")}
            >
              <span className="min-w-0 truncate font-medium">{label}</span>
              <span className="shrink-0 text-xs text-fg-muted">{value === chosen ? <Check aria-hidden className="size-4 text-accent-fg" /> : detail}</span>
            </button>
          </li>
        ))}
      </ul>
      {failure && <p role="status" className="mt-3 text-sm text-bad">{failure}</p>}
    </Dialog>
  );
}

/** Gives a watch to a person; whoever wore it wears none then. */
function useWear() {
  const hub = useHub();
  const work = useWork();
  const wear = (watch: string, person: string) =>
    work.run(async () => hub.setDuty(await hub.api.put<Duty>(`/duty/watches/${encodeURIComponent(watch)}`, person ? { person_id: person } : {})));
  return { wear, work };
}

function ChooseWatch({ person, duty, onClose }: { person: Serving; duty: Duty; onClose: () => void }) {
  const t = useT(texts);
  const { wear, work } = useWear();
  const now = person.watch?.device_id ?? "";
  const wearer = (w: WatchReach) => duty.crew.find((p) => p.person_id === w.person_id)?.name;
  return (
    <Pick
      title={t("dutypage.watch.choose", { name: person.name })}
      chosen={now}
      busy={work.busy}
      failure={work.failure}
      onClose={onClose}
      onPick={(watch) => void (watch === now ? Promise.resolve(true) : watch ? wear(watch, person.person_id) : wear(now, "")).then((done) => done && onClose())}
      options={[{ value: "", label: t("dutypage.watch.noneWorn") }, ...duty.watches.map((w) => ({ value: w.device_id, label: w.name || w.device_id, detail: wearer(w) }))]}
    />
  );
}

function Spare({ duty }: { duty: Duty }) {
  const t = useT(texts);
  const canWrite = useCanWrite();
  const may = usePermits("requests.write");
  const { wear, work } = useWear();
  const [giving, setGiving] = useState<WatchReach>();
  const spare = duty.watches.filter((w) => !w.person_id);
  return (
    <Section title={t("dutypage.watches")} note={String(spare.length)} testId="spare-watches">
      {spare.length === 0 && <p className="px-4 py-4 text-sm text-fg-muted">{duty.watches.length === 0 ? t("dutypage.watch.noWatches") : t("dutypage.watches.none")}</p>}
      <ul className="divide-y divide-line">
        {spare.map((w) => (
          <li key={w.device_id} className="flex flex-wrap items-center justify-between gap-3 px-4 py-2.5">
            <Watch watch={w} />
            {may && duty.crew.length > 0 && <Button disabled={!canWrite} aria-label={t("dutypage.watch.giveLabel", { watch: w.name || w.device_id })} onClick={() => setGiving(w)}>{t("dutypage.watch.give")}</Button>}
          </li>
        ))}
      </ul>
      {giving && (
        <Pick
          title={t("dutypage.watch.title", { watch: giving.name || giving.device_id })}
          chosen=""
          busy={work.busy}
          failure={work.failure}
          onClose={() => setGiving(undefined)}
          onPick={(person) => void (person ? wear(giving.device_id, person) : Promise.resolve(true)).then((done) => done && setGiving(undefined))}
          options={[{ value: "", label: t("dutypage.watch.nobody") }, ...duty.crew.map((p) => ({ value: p.person_id, label: p.name, detail: p.watch?.name || p.watch?.device_id }))]}
        />
      )}
    </Section>
  );
}

function OpenCalls() {
  const t = useT(texts);
  const open = useOpenRequests();
  return (
    <Section title={t("dutypage.open")} note={String(open.length)} testId="duty-open">
      {open.length === 0 && <p className="px-4 py-4 text-sm text-fg-muted">{t("dutypage.open.none")}</p>}
      <ul className="divide-y divide-line">{open.map((r) => <OpenCall key={r.request_id} request={r} />)}</ul>
    </Section>
  );
}

function OpenCall({ request }: { request: CallRequest }) {
  const t = useT(texts);
  const kindOf = useKind();
  return (
    <li>
      <Link to="/mqtt/requests/$requestId" params={{ requestId: request.request_id }} className="flex min-h-14 flex-wrap items-center justify-between gap-x-4 px-4 py-2 text-sm -outline-offset-2! hover:bg-ink-800/60">
        <span className="min-w-0 flex-1 basis-40">
          <span className="block truncate font-medium">{request.room_name || request.room}</span>
          <span className="block truncate text-xs text-fg-muted">{[kindOf(request), request.accepted_by ? t("calls.with", { name: request.accepted_by.name || request.accepted_by.id }) : ""].filter(Boolean).join(" · ")}</span>
        </span>
        <RequestBadge state={request.state} />
        <Timer request={request} className="min-h-0! text-base!" />
      </Link>
    </li>
  );
}

function Quiet({ duty }: { duty: Duty }) {
  const t = useT(texts);
  const when = useWhen();
  return (
    <Section title={t("dutypage.quiet")} note={String(duty.quiet_rooms.length)} testId="duty-quiet" actions={<ButtonLink kind="quiet" to="/mqtt/rooms">{t("nav.rooms")}</ButtonLink>}>
      {duty.quiet_rooms.length === 0 && <p className="px-4 py-4 text-sm text-fg-muted">{t("dutypage.quiet.none")}</p>}
      <ul className="divide-y divide-line">
        {duty.quiet_rooms.map((r) => (
          <li key={r.room_id} className="flex items-center justify-between gap-3 px-4 py-3 text-sm">
            <Mark tone="idle" icon={BellOff}><span className="font-medium text-fg">{r.name || r.room_id}</span></Mark>
            <span className="text-fg-muted">{r.quiet_until ? t("dutypage.untilWho", { time: when(r.quiet_until) }) : t("dutypage.quiet.open")}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

const silent = ["late", "lost"];
const most = 12;
const weakDevices = (devices: Collection<Device>) =>
  [...devices.values()]
    .filter((d) => silent.includes(d.presence.state) || (d.presence.state !== "retired" && d.battery !== undefined && d.battery < lowBattery))
    .sort((a, b) => Number(b.presence.state === "lost") - Number(a.presence.state === "lost") || (a.battery ?? 101) - (b.battery ?? 101) || a.device_id.localeCompare(b.device_id));

function Weak() {
  const t = useT(texts);
  const weak = useDerived(useHub().devices, weakDevices);
  return (
    <Section title={t("dutypage.weak")} note={String(weak.length)} testId="duty-weak">
      {weak.length === 0 && <p className="flex items-center gap-2 px-4 py-4 text-sm text-fg-muted"><CircleCheck aria-hidden className="size-4 text-ok" />{t("dutypage.weak.none")}</p>}
      <ul className="divide-y divide-line">
        {weak.slice(0, most).map((d) => (
          <li key={d.device_id}>
            <Link to="/mqtt/devices/$deviceId" params={{ deviceId: d.device_id }} className="reveals-time flex min-h-13 flex-wrap items-center justify-between gap-x-4 px-4 py-2 text-sm -outline-offset-2! hover:bg-ink-800/60">
              <span className="min-w-0 flex-1 basis-40">
                <span className="block truncate font-medium">{d.room_name || d.room}</span>
                <span className="block truncate text-xs text-fg-muted">{d.name || d.device_id}</span>
              </span>
              <Battery percent={d.battery} />
              <span className="flex flex-col text-xs sm:items-end"><PresenceBadge state={d.presence.state} bare /><RelativeTime at={d.presence.as_of} focusable={false} className="text-fg-dim" /></span>
            </Link>
          </li>
        ))}
      </ul>
      {weak.length > most && <p className="border-t border-line px-4 py-3 text-sm"><Link to="/mqtt/devices" className="underline underline-offset-4">{t("dutypage.weak.more", { n: weak.length - most })}</Link></p>}
    </Section>
  );
}

/** What the last watch tells this one. A note that was taken off can be put back. */
function Handover({ notes }: { notes: readonly HandoverNote[] }) {
  const t = useT(texts);
  const hub = useHub();
  const work = useWork();
  const canWrite = useCanWrite();
  const may = usePermits("requests.write");
  const [text, setText] = useState("");
  const [gone, setGone] = useState<HandoverNote>();
  const change = (run: () => Promise<unknown>) =>
    work.run(async () => {
      await run();
      hub.setDuty(await hub.api.get<Duty>("/duty"));
    });
  const add = (words: string) => change(() => hub.api.post("/duty/notes", { text: words }));
  return (
    <Section title={t("dutypage.notes")} note={String(notes.length)} testId="handover">
      {may && (
        <form
          className="flex flex-wrap items-end gap-3 border-b border-line p-4"
          onSubmit={(e) => {
            e.preventDefault();
            if (text.trim() && !work.busy) void add(text.trim()).then((done) => done && setText(""));
          }}
        >
          <div className="min-w-0 flex-1 basis-56"><TextField label={t("dutypage.notes.new")} value={text} maxLength={400} onChange={(e) => setText(e.target.value)} /></div>
          <Button type="submit" icon={Plus} busy={work.busy} disabled={!canWrite || !text.trim()}>{t("dutypage.notes.add")}</Button>
        </form>
      )}
      {work.failure && <p role="status" className="px-4 pt-3 text-sm text-bad">{work.failure}</p>}
      {gone && (
        <p role="status" className="flex items-center justify-between gap-3 border-b border-line px-4 py-2 text-sm text-fg-muted">
          <span className="min-w-0 truncate">{t("dutypage.notes.gone")}: <s>{gone.text}</s></span>
          <Button icon={Undo2} busy={work.busy} disabled={!canWrite} onClick={() => void add(gone.text).then((done) => done && setGone(undefined))}>{t("dutypage.notes.back")}</Button>
        </p>
      )}
      {notes.length === 0 && !gone && <p className="px-4 py-4 text-sm text-fg-muted">{t("dutypage.notes.none")}</p>}
      <ul className="divide-y divide-line">
        {notes.map((n) => (
          <li key={n.id} data-testid="handover-note" className="flex items-start justify-between gap-3 px-4 py-3">
            <div className="min-w-0">
              <p className="text-sm">{n.text}</p>
              <p className="text-xs text-fg-dim">{n.by.name || n.by.id} · <RelativeTime at={n.at} /></p>
            </div>
            {may && (
              <Button
                icon={Check}
                className="-my-1 shrink-0"
                busy={work.busy}
                disabled={!canWrite}
                aria-label={t("dutypage.notes.doneLabel", { text: n.text })}
                onClick={() => void change(() => hub.api.delete(`/duty/notes/${encodeURIComponent(n.id)}`)).then((done) => done && setGone(n))}
              >
                {t("dutypage.notes.done")}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}

const drillMinutes = [15, 30, 60, 120] as const;

function BeginDrill() {
  const t = useT(texts);
  const hub = useHub();
  const work = useWork();
  const toast = useToast();
  const canWrite = useCanWrite();
  const may = usePermits("crew.write");
  const active = useCell(hub.drill)?.active ?? false;
  if (!may) return null;
  const begin = async (minutes: number) => {
    if (await work.run(() => hub.setDrill(minutes * 60_000))) toast({ tone: "ok", title: t("dutypage.drill.running") });
  };
  return (
    <Section title={t("dutypage.drill")} testId="begin-drill">
      <div className="px-4 py-3">
        {active ? <Pill tone="accent" icon={GraduationCap}>{t("dutypage.drill.running")}</Pill> : (
          <>
            <p className="mb-3 text-sm text-fg-muted">{t("dutypage.drill.detail")}</p>
            <div role="group" aria-label={t("dutypage.drill.begin")} className="flex flex-wrap gap-2">
              {drillMinutes.map((n) => <Button key={n} busy={work.busy} disabled={!canWrite} onClick={() => void begin(n)}>{t("dutypage.drill.minutes", { n })}</Button>)}
            </div>
          </>
        )}
        {work.failure && <p role="status" className="mt-2 text-sm text-bad">{work.failure}</p>}
      </div>
    </Section>
  );
}
