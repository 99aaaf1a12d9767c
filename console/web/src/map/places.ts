import type { Collection } from "@obedio/web";
import type { Site } from "../api/resources";

/** The part of the map that is shown; x is the longitude plus 180, y is 90 minus the latitude. */
export interface View {
  x: number;
  y: number;
  width: number;
}

export const world: View = { x: 0, y: 0, width: 360 };
/** Height of a view by its width. */
export const aspect = 0.5;

/** Sites that are so near to each other in a view that they are one mark. */
export interface Place {
  key: string;
  x: number;
  y: number;
  sites: Site[];
}

const clamp = (v: number, low: number, high: number) => Math.min(high, Math.max(low, v));

/** The view after coming nearer (factor below 1) or going away, around a point. */
export function zoom(view: View, factor: number, at: { x: number; y: number }): View {
  const width = clamp(view.width * factor, 4, 360);
  const by = width / view.width;
  return within({ x: at.x - (at.x - view.x) * by, y: at.y - (at.y - view.y) * by, width });
}

/** The view kept on the map. */
export function within(view: View): View {
  return { width: view.width, x: clamp(view.x, 0, 360 - view.width), y: clamp(view.y, 0, 180 - view.width * aspect) };
}

/** The smallest view with all sites in it, with some sea around. */
export function around(sites: readonly Site[]): View {
  const points = sites.flatMap((s) => (s.position ? [{ x: s.position.lng + 180, y: 90 - s.position.lat }] : []));
  if (points.length === 0) return world;
  const xs = points.map((p) => p.x);
  const ys = points.map((p) => p.y);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const width = clamp(Math.max((right - left) * 1.3, ((bottom - top) * 1.3) / aspect, 60), 4, 360);
  return within({ width, x: (left + right) / 2 - width / 2, y: (top + bottom) / 2 - (width * aspect) / 2 });
}

export const positioned = (sites: Collection<Site>): Site[] =>
  [...sites.values()].filter((s) => s.position).sort((a, b) => b.attention - a.attention || a.name.localeCompare(b.name));

/** Marks of a view: what is within a thirtieth of its width of each other is one. */
export function placesOf(sites: readonly Site[], view: View): Place[] {
  const cell = view.width / 30;
  const places = new Map<string, Place>();
  for (const s of sites) {
    if (!s.position) continue;
    const x = s.position.lng + 180;
    const y = 90 - s.position.lat;
    const key = `${Math.floor(x / cell)} ${Math.floor(y / cell)}`;
    const place = places.get(key);
    if (place) {
      place.x += (x - place.x) / (place.sites.length + 1);
      place.y += (y - place.y) / (place.sites.length + 1);
      place.sites.push(s);
    } else {
      places.set(key, { key, x, y, sites: [s] });
    }
  }
  return [...places.values()];
}

const rank: Record<string, number> = { stalled: 0, offline: 1, late: 2, never_connected: 3, online: 4, revoked: 5, retired: 6 };

/** The link state of a mark: that of its site that is worst off. */
export function worstOf(place: Place): string {
  return place.sites.reduce((worst, s) => ((rank[s.link_state] ?? 9) < (rank[worst] ?? 9) ? s.link_state : worst), place.sites[0]!.link_state);
}
