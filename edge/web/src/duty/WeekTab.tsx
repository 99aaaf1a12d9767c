import {
  Button, Choice, DataView, Dialog, DialogActions, IconButton, ManyChoice, Mark, Skeletons, TextField, classes, useClock, useFormats, useStatus, useWork, viewStateOf,
} from "@obedio/web";
import { CalendarPlus, ChevronLeft, ChevronRight, CircleCheck, Trash2, TriangleAlert } from "lucide-react";
import { useMemo, useState, type FormEvent } from "react";
import type { Person, Shift } from "../api/resources";
import { useCanWrite, useHub, usePermits, useReach, useSystem, useT } from "../context";
import { duty as texts } from "../messages/duty";
import { roomIdOf } from "../provision/label";
import { useDocuments, useRefusal } from "./useDocuments";
import { addDays, clockOf, dateIn, lanesOf, mondayOf, weekOf, weekdays, type PlanDay } from "./week";

const shiftKey = (s: Shift) => s.shift_id;
const personKey = (p: Person) => p.person_id;
const dayMinutes = 24 * 60;
const date = /^\d{4}-\d{2}-\d{2}$/;

/** The shifts of a week, and when nobody is on duty. */
export function WeekTab({ first, onFirst }: { first: string | undefined; onFirst: (first: string | undefined) => void }) {
  const t = useT(texts);
  const clock = useClock();
  const reach = useReach();
  const canWrite = useCanWrite();
  const may = usePermits("crew.write");
  const zone = useSystem()?.time_zone;
  const { items: shifts, list, reload } = useDocuments<Shift>("/shifts", shiftKey);
  const { items: people } = useDocuments<Person>("/crew", personKey);
  const status = useStatus(list);
  const [editing, setEditing] = useState<Shift | "new">();
  const today = dateIn(clock.now(), zone);
  const monday = mondayOf(first && date.test(first) ? first : today);
  const { day } = useFormats();
  const days = useMemo(() => weekOf(shifts, monday), [shifts, monday]);
  const gaps = days.reduce((n, d) => n + d.gaps.length, 0);
  const at = (d: string) => day(Date.parse(`${d}T12:00:00Z`));
  const names = new Map(people.map((p) => [p.person_id, p.name]));
  const add = may && <Button kind="primary" icon={CalendarPlus} disabled={!canWrite} onClick={() => setEditing("new")}>{t("plan.add")}</Button>;
  return (
    <>
      <div className="mb-4 flex flex-wrap items-center justify-between gap-3">
        <div className="flex flex-wrap items-center gap-1">
          <IconButton icon={ChevronLeft} label={t("plan.before")} onClick={() => onFirst(addDays(monday, -7))} />
          <h2 className="text-base font-semibold tabular-nums">{t("plan.week", { from: at(monday), to: at(addDays(monday, 6)) })}</h2>
          <IconButton icon={ChevronRight} label={t("plan.after")} onClick={() => onFirst(addDays(monday, 7))} />
          {monday !== mondayOf(today) && <Button kind="quiet" onClick={() => onFirst(undefined)}>{t("plan.today")}</Button>}
        </div>
        <div className="flex flex-wrap items-center gap-4">
          {shifts.length > 0 && (gaps > 0 ? <Mark tone="warn" icon={TriangleAlert}>{t("plan.gaps", { n: gaps })}</Mark> : <Mark tone="ok" icon={CircleCheck}>{t("plan.covered")}</Mark>)}
          {add}
        </div>
      </div>
      <DataView
        state={viewStateOf({ status, total: shifts.length, shown: shifts.length, reach })}
        quietLink
        onRetry={reload}
        empty={{ title: t("plan.empty"), detail: t("plan.empty.detail"), action: add || undefined }}
        skeleton={<Skeletons count={1} itemClass="h-96" className="flex flex-col" />}
      >
        <ol data-testid="week" className="flex flex-col gap-2">
          {days.map((d) => <DayRow key={d.date} day={d} today={d.date === today} title={at(d.date)} names={names} onEdit={may && canWrite ? setEditing : undefined} />)}
        </ol>
        {zone && <p className="mt-3 text-xs text-fg-dim">{t("plan.zone", { zone })}</p>}
      </DataView>
      {editing && (
        <EditShift
          key={editing === "new" ? "" : editing.shift_id}
          shift={editing === "new" ? undefined : editing}
          taken={shifts.map(shiftKey)}
          people={people}
          onClose={() => setEditing(undefined)}
          onSaved={reload}
        />
      )}
    </>
  );
}

const hours = [0, 6, 12, 18, 24];
const place = (minutes: number) => `${(minutes / dayMinutes) * 100}%`;

/** One day: a band of 24 hours, and the same in words for a phone and who cannot see it. */
function DayRow({ day, today, title, names, onEdit }: { day: PlanDay; today: boolean; title: string; names: Map<string, string>; onEdit: ((shift: Shift) => void) | undefined }) {
  const t = useT(texts);
  const { lanes, count } = lanesOf(day.pieces);
  const who = (s: Shift) => (s.people ?? []).map((id) => names.get(id) ?? id).join(", ") || t("plan.nobody");
  const when = (from: number, to: number) => (from === 0 && to === dayMinutes ? t("plan.allDay") : t("plan.times", { from: clockOf(from), to: clockOf(to) }));
  const words = (s: Shift) => [s.title, s.as === "backup" ? t("plan.backup") : ""].filter(Boolean).join(", ");
  return (
    <li
      aria-label={title}
      data-date={day.date}
      data-gaps={day.gaps.length}
      className={classes("grid grid-cols-[minmax(0,1fr)] gap-x-4 gap-y-2 rounded-card border bg-ink-850 px-4 py-3 md:grid-cols-[7rem_minmax(0,1fr)]", today ? "border-accent" : "border-line")}
    >
      <div className="flex items-baseline gap-2 md:flex-col md:gap-0">
        <h3 className="text-base font-semibold">{t(`plan.day.${day.weekday}`)}</h3>
        <p className="text-xs text-fg-dim">{title}</p>
      </div>
      {/* The band, where there is room for it. */}
      <div className="hidden md:block">
        <div className="relative" style={{ height: `${count * 48}px` }}>
          {hours.map((h) => <span key={h} aria-hidden className="absolute inset-y-0 border-l border-line" style={{ left: place(h * 60) }} />)}
          {day.gaps.map((g) => (
            <span key={g.from} title={t("plan.gap", { from: clockOf(g.from), to: clockOf(g.to) })} className="traffic-gap absolute inset-y-0 border-x border-warn/60" style={{ left: place(g.from), width: place(g.to - g.from) }} />
          ))}
          {day.pieces.map((p, i) => (
            <button
              key={`${p.shift.shift_id} ${p.from}`}
              type="button"
              disabled={!onEdit}
              aria-label={t("plan.edit", { title: p.shift.title })}
              title={[words(p.shift), when(p.from, p.to), who(p.shift)].join(" · ")}
              onClick={() => onEdit?.(p.shift)}
              className={classes(
                "absolute flex h-11 flex-col justify-center overflow-hidden rounded-md border px-2 text-left text-xs",
                p.shift.as === "duty" ? "border-accent bg-accent-soft text-fg" : "border-dashed border-edge bg-ink-800 text-fg-muted",
              )}
              style={{ left: place(p.from), width: place(p.to - p.from), top: `${(lanes[i] ?? 0) * 48}px` }}
            >
              <span className="truncate font-medium">{words(p.shift)}</span>
              <span className="truncate">{who(p.shift)}</span>
            </button>
          ))}
        </div>
        <div aria-hidden className="relative mt-1 h-4 text-xs text-fg-dim tabular-nums">
          {hours.map((h) => <span key={h} className={classes("absolute whitespace-nowrap", h === 0 ? "" : h === 24 ? "-translate-x-full" : "-translate-x-1/2")} style={{ left: place(h * 60) }}>{clockOf(h * 60)}</span>)}
        </div>
      </div>
      <ul className="flex flex-col gap-1 md:hidden">
        {day.pieces.map((p) => (
          <li key={`${p.shift.shift_id} ${p.from}`}>
            <button type="button" disabled={!onEdit} aria-label={t("plan.edit", { title: p.shift.title })} onClick={() => onEdit?.(p.shift)} className="flex min-h-control w-full items-center justify-between gap-3 text-left text-sm">
              <span className="min-w-0"><span className="block truncate font-medium">{words(p.shift)}</span><span className="block truncate text-xs text-fg-muted">{who(p.shift)}</span></span>
              <span className="shrink-0 text-xs text-fg-muted tabular-nums">{when(p.from, p.to)}</span>
            </button>
          </li>
        ))}
      </ul>
      {day.gaps.length > 0 && (
        <p className="flex flex-wrap gap-x-4 gap-y-1 text-sm md:col-start-2">
          {day.gaps.map((g) => <Mark key={g.from} tone="warn" icon={TriangleAlert}>{t("plan.gap", { from: clockOf(g.from), to: clockOf(g.to) })}</Mark>)}
        </p>
      )}
    </li>
  );
}

interface EditProps {
  shift: Shift | undefined;
  taken: readonly string[];
  people: readonly Person[];
  onClose: () => void;
  onSaved: () => void;
}

/** An id from a name that none has yet. */
export function freeId(name: string, taken: readonly string[]): string {
  const id = roomIdOf(name);
  for (let n = 2; ; n++) {
    const next = taken.includes(id) ? `${id.slice(0, 60)}-${n}` : id;
    if (!taken.includes(next)) return next;
  }
}

function EditShift({ shift, taken, people, onClose, onSaved }: EditProps) {
  const t = useT(texts);
  const hub = useHub();
  const work = useWork();
  const refusal = useRefusal();
  const { collator } = useFormats();
  const [s, setS] = useState({
    title: shift?.title ?? "", as: (shift?.as ?? "duty") as "duty" | "backup", from: shift?.from ?? "08:00", to: shift?.to ?? "20:00",
    days: shift?.days ?? [], people: shift?.people ?? [], first_day: shift?.first_day ?? "", last_day: shift?.last_day ?? "",
  });
  const set = (change: Partial<typeof s>) => setS({ ...s, ...change });
  const path = shift && `/shifts/${encodeURIComponent(shift.shift_id)}`;
  const save = async (e: FormEvent) => {
    e.preventDefault();
    if (work.busy || s.title.trim() === "") return;
    const { first_day, last_day, ...rest } = s;
    const body = { ...rest, title: s.title.trim(), ...(first_day ? { first_day } : {}), ...(last_day ? { last_day } : {}) };
    const done = await work.run(() => (path ? hub.api.put(path, body, { ifMatch: shift.etag }) : hub.api.post("/shifts", { ...body, shift_id: freeId(s.title, taken) })));
    if (!done) return;
    onSaved();
    onClose();
  };
  const remove = async () => {
    if (!path || !(await work.run(() => hub.api.delete(path, { ifMatch: shift.etag })))) return;
    onSaved();
    onClose();
  };
  const options = [...people].sort((a, b) => collator.compare(a.name, b.name)).map((p) => ({ value: p.person_id, label: p.name }));
  const failure = refusal(work.error, work.failure);
  return (
    <Dialog open onOpenChange={onClose} title={shift ? t("plan.edit.title", { title: shift.title }) : t("plan.new.title")} testId="edit-shift">
      <form onSubmit={(e) => void save(e)} className="flex flex-col gap-4">
        <TextField label={t("plan.title")} value={s.title} maxLength={100} onChange={(e) => set({ title: e.target.value })} />
        <Choice legend={t("plan.as")} value={s.as} onChange={(as) => set({ as })} options={[{ value: "duty", label: t("dutypage.on") }, { value: "backup", label: t("dutypage.backup") }]} />
        <div className="grid grid-cols-2 gap-4">
          <TextField label={t("plan.from")} type="time" required value={s.from} onChange={(e) => set({ from: e.target.value })} />
          <TextField label={t("plan.to")} type="time" required value={s.to} onChange={(e) => set({ to: e.target.value })} />
        </div>
        <p className="-mt-2 text-xs text-fg-dim">{t("plan.to.hint")}</p>
        <ManyChoice legend={t("plan.days")} value={s.days} onChange={(days) => set({ days: weekdays.filter((d) => days.includes(d)) })} options={weekdays.map((d) => ({ value: d, label: t(`plan.day.${d}`) }))} />
        {options.length > 0 ? <ManyChoice legend={t("plan.people")} value={s.people} onChange={(chosen) => set({ people: chosen })} options={options} /> : <p className="text-sm text-fg-muted">{t("plan.people.none")}</p>}
        <div className="grid grid-cols-2 gap-4">
          <TextField label={t("plan.first")} type="date" value={s.first_day} onChange={(e) => set({ first_day: e.target.value })} />
          <TextField label={t("plan.last")} type="date" value={s.last_day} onChange={(e) => set({ last_day: e.target.value })} />
        </div>
        {failure && <p role="status" className="text-sm text-bad">{failure}</p>}
        <DialogActions>
          {shift && <Button kind="danger" icon={Trash2} className="mr-auto" busy={work.busy} onClick={() => void remove()}>{t("plan.remove")}</Button>}
          <Button kind="primary" type="submit" busy={work.busy} disabled={s.title.trim() === ""}>{t("plan.save")}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
