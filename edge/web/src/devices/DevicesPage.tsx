import {
  Chip, DataView, FilterBox, Select, classes, hasTerm, lookOf, presenceLook, presenceStates, toggleTerm, typeIcon, useDerived, useFormats, useWords,
} from "@obedio/web";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { BatteryWarning, LayoutGrid, Plus, Rows3 } from "lucide-react";
import { useCallback } from "react";
import { useHub, usePermits, useT } from "../context";
import type { DevicesSearch } from "../router";
import { ButtonLink } from "../shell/ButtonLink";
import { Page } from "../shell/Page";
import { DeviceGrid } from "./DeviceGrid";
import { DeviceSkeletons } from "./DeviceOverview";
import { DeviceTable } from "./DeviceTable";
import { countDevices, deviceSorts, filterWords, lowBatteryTerm, sortNamed } from "./filter";
import { NewItems } from "./NewItems";
import { useDeviceList } from "./useDeviceList";

/** Every device of the site: found, filtered, sorted. The address holds the view. */
export function DevicesPage() {
  const t = useT();
  const hub = useHub();
  const mayAdd = usePermits("provision.write");
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
  const { settled, state, faults, found } = useDeviceList(filter, sort, descending);
  const setFilter = (value: string) => change({ filter: value });
  return (
    <Page
      title={t("devices.title")}
      actions={mayAdd && <ButtonLink kind="primary" icon={Plus} to="/mqtt/devices/provision">{t("devices.add")}</ButtonLink>}
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
            className="min-w-0 flex-1 basis-72"
          />
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
      <div className="flex min-h-12 items-center text-sm text-fg-muted" role="status" data-testid="device-count">
        {hub.devices.size > 0 && t("devices.shown", { shown: number(found), total: number(hub.devices.size) })}
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
        <div {...settled.handlers}>
          {view === "grid" ? (
            <DeviceGrid ids={settled.ids} />
          ) : (
            <DeviceTable ids={settled.ids} sorting={{ column: sort, descending }} onSortingChange={(s) => change({ sort: `${s.descending ? "-" : ""}${s.column}` })} />
          )}
        </div>
      </DataView>
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
  const low = filter.includes(lowBatteryTerm);
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
          onPress={() => onChange(low ? filter.replace(lowBatteryTerm, "").replace(/\s+/g, " ").trim() : `${filter} ${lowBatteryTerm}`.trim())}
        />
      )}
      {types.length > 0 && <span aria-hidden className="my-2 w-px shrink-0 bg-line" />}
      {types.map((type) => (
        <Chip key={type} icon={typeIcon(type)} label={words.type(type)} count={number(counts.types[type] ?? 0)} pressed={hasTerm(filter, "type", type)} onPress={() => onChange(toggleTerm(filter, "type", type))} />
      ))}
    </div>
  );
}
