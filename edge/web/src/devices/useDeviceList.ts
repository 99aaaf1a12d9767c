import { compileFilter, useFormats, useKeys, useSettledOrder, useStatus, viewStateOf, type Collection } from "@obedio/web";
import { useCallback, useMemo } from "react";
import type { Device } from "../api/resources";
import { useHub, useReach } from "../context";
import { compareDevices, deviceFilter, type DeviceSort } from "./filter";

/** The devices that fit a filter, in order, held still under the pointer, with the state of the view. */
export function useDeviceList(filterText: string, sort: DeviceSort, descending = false) {
  const hub = useHub();
  const { collator } = useFormats();
  const filter = useMemo(() => compileFilter(deviceFilter, filterText), [filterText]);
  const compute = useCallback(
    (devices: Collection<Device>) => {
      const compare = compareDevices(sort, collator);
      const fitting = [...devices.values()].filter(filter.matches).sort(compare);
      if (descending) fitting.reverse();
      return fitting.map((d) => d.device_id);
    },
    [filter, sort, descending, collator],
  );
  const ids = useKeys(hub.devices, compute);
  const settled = useSettledOrder(ids);
  const status = useStatus(hub.devices);
  const reach = useReach();
  const state = viewStateOf({ status, total: hub.devices.size, shown: ids.length, reach });
  return { settled, state, faults: filter.faults, found: ids.length };
}
