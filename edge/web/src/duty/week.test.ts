import { describe, expect, test } from "vitest";
import type { Shift } from "../api/resources";
import { dateIn, lanesOf, mondayOf, weekOf } from "./week";

const shift = (over: Partial<Shift>): Shift => ({ shift_id: "s", title: "Watch", from: "08:00", to: "20:00", as: "duty", people: ["mila"], etag: '"1"', version: 1, ...over });

describe("the week", () => {
  test("shows when nobody is on duty, through midnight and at the ends of the plan", () => {
    const days = weekOf([shift({}), shift({ shift_id: "n", from: "20:00", to: "08:00", days: ["mon", "tue", "wed", "thu"], last_day: "2026-05-07" })], "2026-05-04");
    expect(days.map((d) => d.weekday)).toEqual(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
    expect(days[0]!.gaps).toEqual([{ from: 0, to: 480 }]);
    expect(days[1]!.gaps).toEqual([]);
    expect(days[4]!.gaps).toEqual([{ from: 1200, to: 1440 }]);
    expect(days[5]!.gaps).toEqual([{ from: 0, to: 480 }, { from: 1200, to: 1440 }]);
    expect(days[1]!.pieces.map((p) => [p.from, p.to, p.spilled])).toEqual([[0, 480, true], [480, 1200, false], [1200, 1440, false]]);
  });

  test("backup and shifts without people cover nothing, and the same two times are the whole day", () => {
    const gaps = (over: Partial<Shift>) => weekOf([shift({ from: "00:00", to: "00:00", ...over })], "2026-05-04")[0]!.gaps;
    expect(gaps({})).toEqual([]);
    expect(gaps({ as: "backup" })).toEqual([{ from: 0, to: 1440 }]);
    expect(gaps({ people: [] })).toEqual([{ from: 0, to: 1440 }]);
  });

  test("shifts that overlap stand beside each other", () => {
    const [day] = weekOf([shift({}), shift({ shift_id: "b", from: "10:00", to: "12:00" }), shift({ shift_id: "c", from: "20:00", to: "22:00" })], "2026-05-04");
    expect(lanesOf(day!.pieces)).toEqual({ lanes: [0, 1, 0], count: 2 });
  });

  test("begins on Monday, by the date at the site", () => {
    expect(mondayOf("2026-05-10")).toBe("2026-05-04");
    expect(mondayOf("2026-05-04")).toBe("2026-05-04");
    expect(dateIn(Date.UTC(2026, 4, 3, 22), "Europe/Athens")).toBe("2026-05-04");
  });
});
