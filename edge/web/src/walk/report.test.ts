import { expect, test } from "vitest";
import type { Walk, WalkButton, WalkRoom } from "../api/resources";
import { at } from "../testing";
import { csvOf, placeOf } from "./report";

const button = (device_id: string, state: WalkButton["state"], over: Partial<WalkButton> = {}): WalkButton => ({ device_id, state, ...over });
const room = (id: string, ...buttons: WalkButton[]): WalkRoom => ({ room: id, name: id, buttons });
const walk = (here: string, ...rooms: WalkRoom[]): Walk => ({
  walk_id: "w", started_at: at(0), by: { kind: "user", id: "u" }, room: here, rooms, buttons: 0, heard: 0, failed: 0,
});

test("the next room is the first one that is not done, also one that was passed by", () => {
  const w = walk("b", room("a", button("1", "waiting")), room("b", button("2", "heard")), room("c", button("3", "failed")), room("d", button("4", "waiting")));
  expect(placeOf(w)).toMatchObject({ at: 1, room: { room: "b" }, before: { room: "a" }, next: { room: "d" } });
  expect(placeOf({ ...w, rooms: w.rooms.slice(0, 3) }).next?.room).toBe("a");
  expect(placeOf(walk("a", room("a", button("1", "waiting")))).next).toBeUndefined();
});

test("the report has a row for each button", () => {
  const rows = csvOf(walk("a", room("a", button("1", "heard", { at: at(3), signal_strength: -61, battery: 80 }), button("2", "failed", { note: "dead" })))).trim().split("\r\n");
  expect(rows.slice(1)).toEqual([`,a,a,1,,heard,${at(3)},,,-61,80,`, ",a,a,2,,failed,,,,,,dead"]);
});
