import { expect, test } from "vitest";
import type { Room } from "../api/resources";
import { decksOf, moved, nextHour, quietAt } from "./decks";

const room = (room_id: string, over: Partial<Room> = {}): Room => ({ room_id, name: room_id, quiet: false, version: 1, devices: 0, ...over });

test("rooms stand deck by deck in their order, those without one last", () => {
  const decks = decksOf(
    [room("b2", { deck: "Main", position: 2 }), room("loose"), room("b10", { deck: "Main" }), room("b1", { deck: "Main", position: 1 }), room("b9", { deck: "Main" }), room("a", { deck: "Lower" })],
    new Intl.Collator("en", { numeric: true }),
  );
  expect(decks.map((d) => [d.name, d.rooms.map((r) => r.room_id)])).toEqual([["Lower", ["a"]], ["Main", ["b1", "b2", "b9", "b10"]], ["", ["loose"]]]);
});

test("moving an entry keeps all others in their order and stays inside the list", () => {
  expect(moved(["a", "b", "c"], 2, 0)).toEqual(["c", "a", "b"]);
  expect(moved(["a", "b", "c"], 0, 9)).toEqual(["b", "c", "a"]);
});

test("a quiet is over at its end without anybody telling", () => {
  const end = Date.UTC(2026, 2, 1, 8);
  expect(quietAt(room("a", { quiet: true, quiet_until: new Date(end).toISOString() }), end - 1)).toBe(true);
  expect(quietAt(room("a", { quiet: true, quiet_until: new Date(end).toISOString() }), end)).toBe(false);
  expect(quietAt(room("a", { quiet: true }), end)).toBe(true);
});

test("until eight is eight on the wall of the site, also in the night in which the clocks change", () => {
  expect(nextHour(Date.UTC(2026, 0, 10, 22), 8, "Europe/Athens")).toBe(Date.UTC(2026, 0, 11, 6));
  expect(nextHour(Date.UTC(2026, 0, 10, 5), 8, "Europe/Athens")).toBe(Date.UTC(2026, 0, 10, 6));
  // The clocks go forward on 29 March: 8:00 is 5:00 UTC then.
  expect(nextHour(Date.UTC(2026, 2, 28, 22), 8, "Europe/Athens")).toBe(Date.UTC(2026, 2, 29, 5));
});
