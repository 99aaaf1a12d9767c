import {
  Button, Chip, DataView, FilterBox, IconButton, Select, classes, hasTerm, lookOf, parseTerms, presenceLook, presenceStates, saveFile, toggleTerm, typeIcon, useDerived,
  useFormats, useKeys, useWords, type Collection,
} from "@obedio/web";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { BatteryWarning, CalendarClock, CircleHelp, Download, LayoutGrid, ListChecks, ListTodo, Plus, Radio, Rows3 } from "lucide-react";
import { Suspense, lazy, memo, useCallback, useMemo, useState } from "react";
import type { Device } from "../api/resources";
import { useHub, usePermits, useT } from "../context";
import type { DevicesSearch } from "../router";
import { ButtonLink } from "../shell/ButtonLink";
import { Page } from "../shell/Page";
import { DeviceGrid } from "./DeviceGrid";
import { DeviceSkeletons } from "./DeviceOverview";
import { DeviceTable } from "./DeviceTable";
import { devicesCsv } from "./csv";
import { countDevices, deviceSorts, filterWords, lowBatteryTerm, soonEmptyTerm, sortNamed, togglePlain } from "./filter";
import { NewItems } from "./NewItems";
import { Selection, SelectionProvider } from "./selection";
import { SelectionBar } from "./SelectionBar";
import { useDeviceList } from "./useDeviceList";

// Read when somebody asks.
const FilterHelp = lazy(() => import("./FilterHelp").then((m) => ({ default: m.FilterHelp })));

/** Every device of the site: found, filtered, sorted. The address holds the view. */
export function DevicesPage() {
  const t = useT();
  const hub = useHub();
  const mayAdd = usePermits("provision.write");
  const mayJobs = usePermits("jobs.read");
  const [help, setHelp] = useState(false);
  const [selection, setSelection] = useState<Selection>();
  const { number } = useFormats();
  const search = useSearch({ from: "/mqtt/devices" });
  const navigate = useNavigate({ from: "/mqtt/devices" });
  const change = useCallback(
    (next: Partial<DevicesSearch>) => void navigate({ search: (held) => clean({ ...held, ...next }), replace: true, resetScroll: false }),
    [navigate],
  );
  const filter = search.filter ?? "";
  const view = search.view ?? "grid";
  const descending = search.sort?.startsWith("-") ?? false;
  const sort = sortNamed(search.sort?.replace(/^-/, ""));
  const { settled, state, faults, ids } = useDeviceList(filter, sort, descending);
  const setFilter = useCallback((value: string) => change({ filter: value }), [change]);
  return (
    <Page
      title={t("devices.title")}
      actions={(
        <>
          {mayJobs && <ButtonLink icon={ListTodo} to="/mqtt/jobs">{t("nav.jobs")}</ButtonLink>}
          {mayAdd && <ButtonLink kind="primary" icon={Plus} to="/mqtt/devices/provision">{t("devices.add")}</ButtonLink>}
        </>
      )}
    >
      <div className="flex flex-col gap-3">
        <div className="flex flex-wrap items-start gap-3">
          <FilterBox
            value={filter}
            onChange={setFilter}
            label={t("devices.filter")}
            placeholder={t("devices.filterHint")}
            faults={faults}
            words={filterWords}
            testId="device-filter"
            className="min-w-0 flex-1 basis-60"
          />
          <IconButton kind="secondary" icon={CircleHelp} label={t("devices.filter.help")} aria-haspopup="dialog" onClick={() => setHelp(true)} />
          <label className="flex min-w-0 flex-1 basis-36 items-center gap-2 text-sm text-fg-muted sm:flex-none">
            <span className="sr-only lg:not-sr-only">{t("devices.sort")}</span>
            <Select
              value={sort}
              onChange={(e) => change({ sort: e.target.value })}
              options={deviceSorts.map((s) => ({ value: s, label: t(`devices.sort.${s}`) }))}
              className="flex-1"
            />
          </label>
          <ViewChoice view={view} onChange={(v) => change({ view: v })} />
        </div>
        <FilterChips filter={filter} onChange={setFilter} />
      </div>
      <div className="flex min-h-13 flex-wrap items-center justify-between gap-x-4 py-1">
        <p className="text-sm text-fg-muted" role="status" data-testid="device-count">
          {hub.devices.size > 0 && t("devices.shown", { shown: number(ids.length), total: number(hub.devices.size) })}
        </p>
        {ids.length > 0 && (
          <div className="flex gap-1">
            <Button kind={selection ? "secondary" : "quiet"} icon={ListChecks} aria-pressed={selection !== undefined} onClick={() => setSelection(selection ? undefined : new Selection())}>{t("devices.choose")}</Button>
            <Button kind="quiet" icon={Download} onClick={() => saveFile("devices.csv", "text/csv", devicesCsv(ids.flatMap((id) => hub.devices.get(id) ?? [])))}>{t("devices.csv")}</Button>
          </div>
        )}
      </div>
      <NewItems settled={settled} />
      <DataView
        state={state}
        quietLink
        onRetry={hub.retry}
        onClearFilter={() => setFilter("")}
        empty={{ title: t("devices.empty"), detail: t("devices.empty.detail") }}
        skeleton={<DeviceSkeletons />}
      >
        <SelectionProvider value={selection}>
          <div {...settled.handlers}>
            {view === "grid" ? (
              <DeviceGrid ids={settled.ids} />
            ) : (
              <DeviceTable ids={settled.ids} sorting={{ column: sort, descending }} onSortingChange={(s) => change({ sort: `${s.descending ? "-" : ""}${s.column}` })} />
            )}
          </div>
        </SelectionProvider>
        {selection && <SelectionBar selection={selection} ids={ids} onDone={() => setSelection(undefined)} />}
      </DataView>
      {help && (
        <Suspense fallback={null}>
          <FilterHelp
            open
            onOpenChange={setHelp}
            onTake={(taken) => {
              setFilter(taken);
              setHelp(false);
            }}
          />
        </Suspense>
      )}
    </Page>
  );
}

function clean(search: DevicesSearch): DevicesSearch {
  return {
    ...(search.filter ? { filter: search.filter } : {}),
    ...(search.sort && search.sort !== "room" ? { sort: search.sort } : {}),
    ...(search.view === "table" ? { view: "table" as const } : {}),
  };
}

function ViewChoice({ view, onChange }: { view: "grid" | "table"; onChange: (view: "grid" | "table") => void }) {
  const t = useT();
  const choices = [["grid", LayoutGrid], ["table", Rows3]] as const;
  return (
    <div role="group" aria-label={t("devices.view")} className="flex overflow-hidden rounded-control border border-edge">
      {choices.map(([value, Icon]) => (
        <button
          key={value}
          type="button"
          aria-pressed={view === value}
          onClick={() => onChange(value)}
          className={classes(
            "inline-flex min-h-control items-center gap-2 px-3.5 text-sm -outline-offset-2!",
            view === value ? "bg-accent-soft text-accent-fg" : "text-fg-muted hover:bg-ink-800",
          )}
        >
          <Icon aria-hidden className="size-4.5" />
          {t(`devices.view.${value}`)}
        </button>
      ))}
    </div>
  );
}

function FilterChips({ filter, onChange }: { filter: string; onChange: (filter: string) => void }) {
  const t = useT();
  const words = useWords();
  const { number } = useFormats();
  const counts = useDerived(useHub().devices, countDevices);
  const states = presenceStates.filter((s) => (counts.states[s] ?? 0) > 0 || hasTerm(filter, "state", s));
  const types = Object.keys(counts.types).sort();
  const repeaters = useKeys(useHub().devices, repeatersOf);
  const low = filter.includes(lowBatteryTerm);
  const soon = filter.includes(soonEmptyTerm);
  return (
    <div className="-mx-4 flex gap-2 overflow-x-auto px-4 py-1 sm:mx-0 sm:flex-wrap sm:px-0">
      {states.map((s) => {
        const look = lookOf(presenceLook, s);
        return (
          <Chip key={s} icon={look.icon} tone={look.tone} label={words.presence(s)} count={number(counts.states[s] ?? 0)} pressed={hasTerm(filter, "state", s)} onPress={() => onChange(toggleTerm(filter, "state", s))} />
        );
      })}
      {(counts.lowBattery > 0 || low) && (
        <Chip
          icon={BatteryWarning}
          tone="warn"
          label={t("devices.lowBattery")}
          count={number(counts.lowBattery)}
          pressed={low}
          onPress={() => onChange(togglePlain(filter, lowBatteryTerm))}
        />
      )}
      {(counts.soonEmpty > 0 || soon) && (
        <Chip icon={CalendarClock} tone="warn" label={t("devices.soonEmpty")} count={number(counts.soonEmpty)} pressed={soon} onPress={() => onChange(togglePlain(filter, soonEmptyTerm))} />
      )}
      {types.length > 0 && <span aria-hidden className="my-2 w-px shrink-0 bg-line" />}
      {types.map((type) => (
        <Chip key={type} icon={typeIcon(type)} label={words.type(type)} count={number(counts.types[type] ?? 0)} pressed={hasTerm(filter, "type", type)} onPress={() => onChange(toggleTerm(filter, "type", type))} />
      ))}
      {repeaters.map((id) => (
        <Chip key={id} icon={Radio} label={t("devices.viaChip", { id })} pressed={hasTerm(filter, "via", id)} onPress={() => onChange(toggleTerm(filter, "via", id))} />
      ))}
      <RoomChoice filter={filter} onChange={onChange} />
    </div>
  );
}

/** Adds a room to the filter, or takes it away. There may be hundreds, so it renders only when they change. */
const RoomChoice = memo(function RoomChoice({ filter, onChange }: { filter: string; onChange: (filter: string) => void }) {
  const t = useT();
  const rooms = useKeys(useHub().devices, roomsOf);
  const { collator } = useFormats();
  const options = useMemo(
    () => rooms.map((r) => r.split("\t") as [string, string]).sort((a, b) => collator.compare(a[1], b[1])),
    [rooms, collator],
  );
  const chosen = useMemo(() => new Set(parseTerms(filter).filter((term) => !term.negated && term.field === "room").flatMap((term) => term.values.map((v) => v.join("*")))), [filter]);
  if (options.length < 2) return null;
  return (
    <Select
      aria-label={t("devices.roomChip")}
      value=""
      onChange={(e) => onChange(toggleTerm(filter, "room", e.target.value))}
      options={[{ value: "", label: t("devices.roomChip") }, ...options.map(([value, name]) => ({ value, label: chosen.has(value) ? `✓ ${name}` : name }))]}
      className="shrink-0 [&_select]:rounded-full! [&_select]:bg-transparent! [&_select]:text-fg-muted!"
    />
  );
});

/** Id and name of each room that holds a device. */
function roomsOf(devices: Collection<Device>): string[] {
  const rooms = new Map<string, string>();
  for (const d of devices.values()) rooms.set(d.room, `${d.room}\t${d.room_name || d.room}`);
  return [...rooms.values()].sort();
}

/** The repeaters through which devices are heard. */
function repeatersOf(devices: Collection<Device>): string[] {
  const ids = new Set<string>();
  for (const d of devices.values()) if (d.via) ids.add(d.via);
  return [...ids].sort();
}
