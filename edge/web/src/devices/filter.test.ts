import { compileFilter } from "@obedio/web";
import { expect, test } from "vitest";
import { aDevice, at } from "../testing";
import { compareDevices, deviceFilter, lowBatteryTerm } from "./filter";

const collator = new Intl.Collator("en", { numeric: true });
const lost = aDevice({ device_id: "c", room_name: "C", presence: { state: "lost", since: at(0), as_of: at(0) } });
const low = aDevice({ device_id: "b", room_name: "B", battery: 9 });
const well = aDevice({ device_id: "a", room_name: "A", battery: 90, name: "Bedside" });

test("the filter words fit the device resource", () => {
  const found = (text: string) => [lost, low, well].filter(compileFilter(deviceFilter, text).matches).map((d) => d.device_id);
  expect(found("state:lost")).toEqual(["c"]);
  expect(found(lowBatteryTerm)).toEqual(["b"]);
  expect(found("bedside")).toEqual(["a"]);
  expect(found("room:b,c type:button")).toEqual(["c", "b"]);
});

test("sorted by attention, what is lost comes before what is low, and rooms follow", () => {
  expect([well, low, lost].sort(compareDevices("attention", collator)).map((d) => d.device_id)).toEqual(["c", "b", "a"]);
  expect([low, lost, well].sort(compareDevices("room", collator)).map((d) => d.device_id)).toEqual(["a", "b", "c"]);
});
