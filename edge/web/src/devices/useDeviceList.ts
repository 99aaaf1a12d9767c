import { compileFilter, useFormats, useSettledOrder, useSortedKeys, useStatus, viewStateOf } from "@obedio/web";
import { useMemo } from "react";
import { useHub, useReach } from "../context";
import { compareDevices, deviceFilter, type DeviceSort } from "./filter";

/** The devices that fit a filter, in order, held still under the pointer, with the state of the view. */
export function useDeviceList(filterText: string, sort: DeviceSort, descending = false) {
  const hub = useHub();
  const { collator } = useFormats();
  const filter = useMemo(() => compileFilter(deviceFilter, filterText), [filterText]);
  const compare = useMemo(() => compareDevices(sort, collator), [sort, collator]);
  const ids = useSortedKeys(hub.devices, filter.matches, compare, descending);
  const settled = useSettledOrder(ids);
  const status = useStatus(hub.devices);
  const reach = useReach();
  const state = viewStateOf({ status, total: hub.devices.size, shown: ids.length, reach });
  return { settled, state, faults: filter.faults, ids };
}
