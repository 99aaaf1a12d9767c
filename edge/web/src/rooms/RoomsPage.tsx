import {
  Button, DataView, Dialog, DialogActions, IconButton, Mark, Pill, RelativeTime, Skeletons, TextField, classes, useClock, useDerived, useFormats, useItem,
  useKeys, useStatus, useTicking, useToast, useVersion, useWork, viewStateOf, type ApiError, type Collection,
} from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { ArrowDown, ArrowUp, ArrowUpDown, BellOff, BellRing, ClipboardCheck, GripVertical, LayoutGrid, MoonStar, Pencil, Plus, Search, TriangleAlert, Trash2 } from "lucide-react";
import { useEffect, useMemo, useRef, useState, type FormEvent } from "react";
import type { CallRequest, Device, Room } from "../api/resources";
import { useCanWrite, useHub, usePermits, useReach, useT } from "../context";
import { rooms as texts } from "../messages/rooms";
import { roomIdOf } from "../provision/label";
import { ButtonLink } from "../shell/ButtonLink";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { decksOf, moved, nextHour, quietAt, type Deck } from "./decks";

/** The rooms of the site, deck by deck. */
export function RoomsPage() {
  const t = useT(texts);
  const mayWalk = usePermits("devices.write");
  return (
    <Page title={t("nav.rooms")} actions={mayWalk && <ButtonLink to="/mqtt/walk" icon={ClipboardCheck}>{t("rooms.walk")}</ButtonLink>}>
      <Guard needs="rooms.read"><Rooms /></Guard>
    </Page>
  );
}

/** Devices of a room, and how many of them have fallen silent. */
interface Inside {
  devices: number;
  silent: number;
}

const silentStates = ["late", "lost", "disconnected"];
const insides = (devices: Collection<Device>) => {
  const all = new Map<string, Inside>();
  for (const d of devices.values()) {
    const one = all.get(d.room) ?? { devices: 0, silent: 0 };
    if (d.presence.state === "retired") continue;
    all.set(d.room, { devices: one.devices + 1, silent: one.silent + Number(silentStates.includes(d.presence.state)) });
  }
  return all;
};
const roomKeys = (rooms: Collection<Room>) => [...rooms.ids()];

function Rooms() {
  const t = useT(texts);
  const hub = useHub();
  const { rooms } = hub;
  const { collator } = useFormats();
  const reach = useReach();
  const canWrite = useCanWrite();
  const may = usePermits("rooms.write");
  const [find, setFind] = useState("");
  const [ordering, setOrdering] = useState(false);
  const [editing, setEditing] = useState<Room | "new">();
  useEffect(() => hub.readRooms(), [hub]);
  const version = useVersion(rooms);
  const ids = useKeys(rooms, roomKeys);
  const inside = useDerived(hub.devices, insides);
  const status = useStatus(rooms);
  const wanted = find.trim().toLocaleLowerCase();
  const decks = useMemo(
    () => decksOf([...rooms.values()].filter((r) => [r.name, r.room_id, r.deck ?? "", r.zone ?? ""].some((s) => s.toLocaleLowerCase().includes(wanted))), collator),
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- version stands for the rooms
    [rooms, version, wanted, collator],
  );
  const shown = decks.reduce((n, d) => n + d.rooms.length, 0);
  const add = may && <Button icon={Plus} kind="primary" disabled={!canWrite} onClick={() => setEditing("new")}>{t("rooms.add")}</Button>;
  return (
    <>
      <div className="mb-5 flex flex-wrap items-center justify-between gap-3">
        <label className="relative min-w-0 flex-1 basis-full sm:max-w-80 sm:basis-auto">
          <span className="sr-only">{t("rooms.find")}</span>
          <Search aria-hidden className="pointer-events-none absolute top-1/2 left-3 size-4.5 -translate-y-1/2 text-fg-dim" />
          <input type="search" value={find} onChange={(e) => setFind(e.target.value)} placeholder={t("rooms.find")} className="min-h-control w-full rounded-control border border-edge bg-ink-900 pr-3 pl-10 text-sm" />
        </label>
        <div className="flex flex-wrap gap-3">
          {may && ids.length > 1 && !wanted && (
            <Button icon={ArrowUpDown} disabled={!canWrite} onClick={() => setOrdering(!ordering)}>{ordering ? t("rooms.order.done") : t("rooms.order")}</Button>
          )}
          {add}
        </div>
      </div>
      {ordering && <p role="status" className="mb-4 text-sm text-fg-muted">{t("rooms.order.hint")}</p>}
      <DataView
        state={viewStateOf({ status, total: ids.length, shown, reach })}
        quietLink
        onRetry={hub.retry}
        onClearFilter={() => setFind("")}
        empty={{ title: t("rooms.empty"), detail: t("rooms.empty.detail"), action: add || undefined }}
        skeleton={<Skeletons count={6} itemClass="h-40" className={gridClass} />}
      >
        <div className="flex flex-col gap-8" data-testid="rooms">
          {decks.map((deck) => <DeckSection key={deck.name} deck={deck} inside={inside} ordering={ordering && !wanted} onEdit={setEditing} />)}
        </div>
      </DataView>
      {editing && <EditRoom key={editing === "new" ? "" : editing.room_id} room={editing === "new" ? undefined : editing} devices={editing === "new" ? 0 : (inside.get(editing.room_id)?.devices ?? 0)} onClose={() => setEditing(undefined)} />}
    </>
  );
}

const gridClass = "grid gap-4 [grid-template-columns:repeat(auto-fill,minmax(min(100%,17.5rem),1fr))]";

interface DeckProps {
  deck: Deck;
  inside: Map<string, Inside>;
  ordering: boolean;
  onEdit: (room: Room) => void;
}

function DeckSection({ deck, inside, ordering, onEdit }: DeckProps) {
  const t = useT(texts);
  const quiet = useTicking((now) => deck.rooms.filter((r) => quietAt(r, now)).length);
  const name = deck.name || t("rooms.noDeck");
  return (
    <section aria-label={name} data-testid="deck">
      <h2 className="mb-3 flex flex-wrap items-baseline gap-x-3 text-base font-semibold">
        {name}
        <span className="text-xs font-normal text-fg-dim">
          {t("rooms.count", { n: deck.rooms.length })}
          {quiet > 0 && <> · {t("rooms.quiet.count", { n: quiet })}</>}
        </span>
      </h2>
      {ordering ? (
        <OrderList key={deck.rooms.map((r) => r.room_id).join(" ")} deck={deck} />
      ) : (
        <ul className={gridClass}>
          {deck.rooms.map((r) => <li key={r.room_id}><RoomCard room={r} inside={inside.get(r.room_id)} onEdit={() => onEdit(r)} /></li>)}
        </ul>
      )}
    </section>
  );
}

/** A deck's rooms to be put in another order: by dragging, or by the arrows. */
function OrderList({ deck }: { deck: Deck }) {
  const t = useT(texts);
  const hub = useHub();
  const toast = useToast();
  const canWrite = useCanWrite();
  const [rooms, setRooms] = useState(deck.rooms);
  const [dragged, setDragged] = useState<string>();
  const [said, setSaid] = useState("");
  const list = useRef<HTMLUListElement>(null);
  const latest = useRef(rooms);
  const name = (r: Room) => r.name || r.room_id;
  const put = (next: Room[]) => {
    latest.current = next;
    setRooms(next);
  };
  const save = (next: Room[]) => {
    hub.api
      .post("/rooms/order", { deck: deck.name, rooms: next.map((r) => r.room_id) })
      .catch((error: ApiError) => {
        toast({ tone: "bad", title: t("rooms.failed"), detail: error.detail ?? error.title });
        put(deck.rooms);
      });
  };
  const step = (from: number, to: number) => {
    const next = moved(rooms, from, to);
    put(next);
    save(next);
    setSaid(t("rooms.moved", { room: name(next[to]!), place: to + 1, of: next.length }));
  };
  const drag = (e: React.PointerEvent<HTMLElement>, id: string) => {
    e.preventDefault();
    const handle = e.currentTarget;
    handle.setPointerCapture(e.pointerId);
    setDragged(id);
    const before = latest.current;
    const move = (ev: PointerEvent) => {
      const rows = [...(list.current?.children ?? [])];
      const from = latest.current.findIndex((r) => r.room_id === id);
      const to = rows.findIndex((row) => ev.clientY < row.getBoundingClientRect().bottom);
      const place = to < 0 ? rows.length - 1 : to;
      if (from >= 0 && place !== from) put(moved(latest.current, from, place));
    };
    const end = (ev: PointerEvent) => {
      handle.removeEventListener("pointermove", move);
      handle.removeEventListener("pointerup", end);
      handle.removeEventListener("pointercancel", end);
      setDragged(undefined);
      if (ev.type === "pointercancel") put(before);
      else if (latest.current !== before) save(latest.current);
    };
    handle.addEventListener("pointermove", move);
    handle.addEventListener("pointerup", end);
    handle.addEventListener("pointercancel", end);
  };
  return (
    <>
      <p role="status" className="sr-only">{said}</p>
      <ul ref={list} data-testid="room-order" className="flex max-w-2xl flex-col divide-y divide-line overflow-hidden rounded-card border border-line bg-ink-850">
        {rooms.map((r, i) => (
          <li key={r.room_id} data-room-id={r.room_id} className={classes("flex min-h-13 items-center gap-2 px-2 text-sm", dragged === r.room_id && "bg-ink-800")}>
            {/* The arrows do the same for the keyboard. */}
            <span
              role="presentation"
              title={t("rooms.drag", { room: name(r) })}
              onPointerDown={canWrite ? (e) => drag(e, r.room_id) : undefined}
              className="inline-flex size-11 shrink-0 cursor-grab touch-none items-center justify-center text-fg-dim active:cursor-grabbing"
            >
              <GripVertical aria-hidden className="size-5" />
            </span>
            <span className="min-w-0 flex-1 truncate font-medium">{name(r)}</span>
            <IconButton icon={ArrowUp} label={t("rooms.up", { room: name(r) })} disabled={i === 0 || !canWrite} onClick={() => step(i, i - 1)} />
            <IconButton icon={ArrowDown} label={t("rooms.down", { room: name(r) })} disabled={i === rooms.length - 1 || !canWrite} onClick={() => step(i, i + 1)} />
          </li>
        ))}
      </ul>
    </>
  );
}

const callingRooms = (requests: Collection<CallRequest>) => [...new Set([...requests.values()].filter((r) => r.state === "open").map((r) => r.room))].sort();

function RoomCard({ room, inside, onEdit }: { room: Room; inside: Inside | undefined; onEdit: () => void }) {
  const t = useT(texts);
  const hub = useHub();
  const work = useWork();
  const canWrite = useCanWrite();
  const mayQuiet = usePermits("requests.write");
  const mayEdit = usePermits("rooms.write");
  const { clock } = useFormats();
  const quiet = useTicking((now) => quietAt(room, now));
  const calling = useKeys(hub.requests, callingRooms).includes(room.room_id);
  const [asking, setAsking] = useState(false);
  const name = room.name || room.room_id;
  const { devices, silent } = inside ?? { devices: 0, silent: 0 };
  const setQuiet = async (body: { quiet: boolean; until?: string }) => {
    const done = await work.run(async () => hub.rooms.upsert({ ...(await hub.api.put<Room>(`/rooms/${encodeURIComponent(room.room_id)}/quiet`, body)), devices: room.devices }));
    if (done) setAsking(false);
  };
  return (
    <article
      data-testid="room"
      data-room-id={room.room_id}
      data-quiet={quiet}
      aria-label={name}
      className={classes("flex h-full flex-col rounded-card border bg-ink-850 p-4", calling ? "border-accent" : "border-line")}
    >
      <header className="flex items-start justify-between gap-2">
        <div className="min-w-0">
          <h3 className="truncate text-base font-semibold">{name}</h3>
          <p className="truncate text-xs text-fg-dim">{[room.room_id, room.zone].filter(Boolean).join(" · ")}</p>
        </div>
        {calling ? <Pill tone="accent" icon={BellRing}>{t("rooms.calling")}</Pill> : quiet && <Pill tone="idle" icon={MoonStar}>{t("rooms.quiet")}</Pill>}
      </header>
      <div className="mt-3 flex flex-wrap gap-x-4 gap-y-1 text-sm text-fg-muted">
        <Link to="/mqtt/devices" search={{ filter: `room:${room.room_id}` }} className="-my-2.5 inline-flex min-h-control items-center gap-1.5 rounded-md underline decoration-dotted underline-offset-4">
          <LayoutGrid aria-hidden className="size-4" />
          {t("rooms.devices", { n: devices })}
        </Link>
        {silent > 0 && <Mark tone="warn" icon={TriangleAlert}>{t("rooms.silent", { n: silent })}</Mark>}
      </div>
      <p className="mt-1.5 text-xs text-fg-dim">
        {room.last_call ? <>{t("rooms.lastCall")} <RelativeTime at={room.last_call} /></> : t("rooms.lastCall.none")}
      </p>
      {quiet && (
        <p className="mt-1.5 flex items-center gap-1.5 text-sm"><BellOff aria-hidden className="size-4 text-fg-muted" />{room.quiet_until ? t("rooms.quiet.until", { time: clock(Date.parse(room.quiet_until)) }) : t("rooms.quiet.open")}</p>
      )}
      {work.failure && <p role="status" className="mt-2 text-sm text-bad">{work.failure}</p>}
      <footer className="mt-auto flex gap-2 pt-3">
        {mayQuiet && (quiet
          ? <Button className="flex-1" busy={work.busy} disabled={!canWrite} aria-label={t("rooms.quiet.endLabel", { room: name })} onClick={() => void setQuiet({ quiet: false })}>{t("rooms.quiet.end")}</Button>
          : <Button className="flex-1" icon={MoonStar} busy={work.busy} disabled={!canWrite} aria-label={t("rooms.quiet.setLabel", { room: name })} onClick={() => setAsking(true)}>{t("rooms.quiet.set")}</Button>)}
        {mayEdit && <IconButton icon={Pencil} kind="secondary" disabled={!canWrite} label={t("rooms.editLabel", { room: name })} onClick={onEdit} />}
      </footer>
      {asking && <QuietDialog name={name} busy={work.busy} onClose={() => setAsking(false)} onQuiet={(until) => void setQuiet({ quiet: true, ...(until === undefined ? {} : { until: new Date(until).toISOString() }) })} />}
    </article>
  );
}

function QuietDialog({ name, busy, onClose, onQuiet }: { name: string; busy: boolean; onClose: () => void; onQuiet: (until: number | undefined) => void }) {
  const t = useT(texts);
  const clock = useClock();
  const { zone } = useFormats();
  const morning = 8;
  return (
    <Dialog open onOpenChange={onClose} title={t("rooms.quiet.title", { room: name })} description={t("rooms.quiet.detail")} testId="quiet">
      <div className="flex flex-col gap-3">
        <Button large busy={busy} onClick={() => onQuiet(clock.now() + 3_600_000)}>{t("rooms.quiet.hour")}</Button>
        <Button large busy={busy} onClick={() => onQuiet(nextHour(clock.now(), morning, zone))}>{t("rooms.quiet.morning")}</Button>
        <Button large busy={busy} onClick={() => onQuiet(undefined)}>{t("rooms.quiet.forever")}</Button>
      </div>
    </Dialog>
  );
}

const deckNames = (rooms: Collection<Room>) => [...new Set([...rooms.values()].flatMap((r) => (r.deck ? [r.deck] : [])))].sort();
const zoneNames = (rooms: Collection<Room>) => [...new Set([...rooms.values()].flatMap((r) => (r.zone ? [r.zone] : [])))].sort();

/** Changes a room, or makes one. */
function EditRoom({ room, devices, onClose }: { room: Room | undefined; devices: number; onClose: () => void }) {
  const t = useT(texts);
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const decks = useKeys(hub.rooms, deckNames);
  const zones = useKeys(hub.rooms, zoneNames);
  const [name, setName] = useState(room?.name ?? "");
  const [deck, setDeck] = useState(room?.deck ?? "");
  const [zone, setZone] = useState(room?.zone ?? "");
  const id = room?.room_id ?? roomIdOf(name);
  const known = useItem(hub.rooms, id) !== undefined;
  const taken = !room && known;
  const path = `/rooms/${encodeURIComponent(id)}`;
  const save = async (e: FormEvent) => {
    e.preventDefault();
    if (taken || work.busy || name.trim() === "") return;
    const done = await work.run(async () => hub.rooms.upsert({ ...(await hub.api.put<Room>(path, { name: name.trim(), deck: deck.trim(), zone: zone.trim() })), devices }));
    if (done) onClose();
  };
  const remove = async () => {
    if (!room || !(await work.run(() => hub.api.delete(path)))) return;
    hub.rooms.remove(id);
    toast({ tone: "ok", title: t("rooms.removed", { room: room.name || id }) });
    onClose();
  };
  return (
    <Dialog open onOpenChange={onClose} title={room ? t("rooms.edit.title", { room: room.name || id }) : t("rooms.new.title")} testId="edit-room">
      <form onSubmit={(e) => void save(e)} className="flex flex-col gap-4">
        <TextField
          label={t("rooms.name")}
          value={name}
          maxLength={128}
          onChange={(e) => setName(e.target.value)}
          {...(room ? {} : { hint: t("rooms.id", { id }) })}
          error={taken ? t("rooms.id.taken") : undefined}
        />
        <TextField label={t("rooms.deck")} hint={t("rooms.deck.hint")} value={deck} maxLength={128} list="decks" onChange={(e) => setDeck(e.target.value)} />
        <TextField label={t("rooms.zone")} hint={t("rooms.zone.hint")} value={zone} maxLength={128} list="zones" onChange={(e) => setZone(e.target.value)} />
        <datalist id="decks">{decks.map((d) => <option key={d} value={d}>{d}</option>)}</datalist>
        <datalist id="zones">{zones.map((z) => <option key={z} value={z}>{z}</option>)}</datalist>
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        {room && devices > 0 && <p className="text-xs text-fg-dim">{t("rooms.remove.not", { n: devices })}</p>}
        <DialogActions>
          {room && <Button kind="danger" icon={Trash2} className="mr-auto" disabled={devices > 0} busy={work.busy} onClick={() => void remove()}>{t("rooms.remove")}</Button>}
          <Button kind="primary" type="submit" busy={work.busy} disabled={name.trim() === "" || taken}>{t("rooms.save")}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
