import { describe, expect, test } from "vitest";
import { aSite, now } from "../testing";
import { around, placesOf, within, world, worstOf, zoom } from "./places";

const at = (id: string, lat: number, lng: number, link_state: "online" | "offline" = "online") =>
  aSite({ site_id: id, name: id, link_state, position: { lat, lng, at: new Date(now).toISOString() } });

describe("placesOf", () => {
  const sites = [at("nice", 43.7, 7.27), at("monaco", 43.73, 7.42, "offline"), at("nassau", 25.05, -77.35), aSite({ site_id: "nowhere" })];
  test("what is near is one mark, as bad as its worst site", () => {
    const places = placesOf(sites, world);
    expect(places.map((p) => p.sites.length).sort()).toEqual([1, 2]);
    expect(worstOf(places.find((p) => p.sites.length === 2)!)).toBe("offline");
  });
  test("nearer, they are two", () => expect(placesOf(sites, { x: 185, y: 45, width: 4 }).length).toBe(3));
});

test("zooming keeps the point under the pointer, and the map in its frame", () => {
  const point = { x: 90, y: 45 };
  const near = zoom(world, 0.5, point);
  expect((point.x - near.x) / near.width).toBeCloseTo((point.x - world.x) / world.width);
  expect(zoom(near, 10, point)).toEqual(world);
  expect(within({ x: -50, y: 500, width: 90 })).toEqual({ x: 0, y: 135, width: 90 });
});

test("all sites are in the view around them", () => {
  const view = around([at("a", 10, 20), at("b", -30, 60)]);
  for (const [x, y] of [[200, 80], [240, 120]] as const) {
    expect(x).toBeGreaterThan(view.x);
    expect(x).toBeLessThan(view.x + view.width);
    expect(y).toBeGreaterThan(view.y);
    expect(y).toBeLessThan(view.y + view.width * 0.5);
  }
  expect(around([])).toEqual(world);
});
