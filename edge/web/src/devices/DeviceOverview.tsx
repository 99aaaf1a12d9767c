import { DataView, FilterBox, Skeletons, classes, lookOf, presenceLook, presenceStates, toneText, useDerived, useFormats, useWords } from "@obedio/web";
import { BatteryWarning } from "lucide-react";
import { useState } from "react";
import { useHub, useT } from "../context";
import { DeviceGrid } from "./DeviceGrid";
import { countDevices, filterWords } from "./filter";
import { NewItems } from "./NewItems";
import { useDeviceList } from "./useDeviceList";

/** The device grid below the calls, with its counts and a box to find one. */
export function DeviceOverview() {
  const t = useT();
  const hub = useHub();
  const [filter, setFilter] = useState("");
  const { settled, state, faults } = useDeviceList(filter, "room");
  return (
    <section aria-label={t("devices.title")} className="mt-8">
      <div className="mb-4 flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        <Counts />
        <FilterBox
          value={filter}
          onChange={setFilter}
          label={t("devices.findLabel")}
          placeholder={t("devices.find")}
          faults={faults}
          words={filterWords}
          testId="device-find"
          className="w-full sm:w-80"
        />
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
        <div {...settled.handlers}><DeviceGrid ids={settled.ids} /></div>
      </DataView>
    </section>
  );
}

export function DeviceSkeletons() {
  return <Skeletons count={8} itemClass="h-29" className="grid gap-4 [grid-template-columns:repeat(auto-fill,minmax(min(100%,256px),1fr))]" />;
}

function Counts() {
  const t = useT();
  const words = useWords();
  const { number } = useFormats();
  const counts = useDerived(useHub().devices, countDevices);
  const shown = presenceStates.filter((s) => s !== "retired" && (counts.states[s] ?? 0) > 0);
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-1 text-sm">
      <h2 className="font-medium">{t("devices.summary")}</h2>
      {shown.map((s) => {
        const look = lookOf(presenceLook, s);
        return (
          <span key={s} className="inline-flex items-center gap-1.5 whitespace-nowrap text-fg-muted">
            <look.icon aria-hidden className={classes("size-4", toneText[look.tone])} />
            {t("devices.count", { n: number(counts.states[s] ?? 0), word: words.presence(s) })}
          </span>
        );
      })}
      {counts.lowBattery > 0 && (
        <span className="inline-flex items-center gap-1.5 whitespace-nowrap text-fg-muted">
          <BatteryWarning aria-hidden className="size-4 text-warn" />
          {t("devices.count", { n: number(counts.lowBattery), word: t("devices.lowBattery") })}
        </span>
      )}
    </div>
  );
}
