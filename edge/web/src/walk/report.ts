import type { Walk, WalkRoom } from "../api/resources";
import { csv } from "../export/csv";

/** Whether all buttons of a room were heard or have failed. */
export function isDone(room: WalkRoom): boolean {
  return room.buttons.every((b) => b.state !== "waiting");
}

/** Where the walk is: its room, and those before and after it. */
export function placeOf(walk: Walk): { at: number; room: WalkRoom | undefined; before: WalkRoom | undefined; next: WalkRoom | undefined } {
  const at = walk.rooms.findIndex((r) => r.room === walk.room);
  const next = walk.rooms.slice(at + 1).find((r) => !isDone(r)) ?? walk.rooms.find((r, i) => i !== at && !isDone(r));
  return { at, room: walk.rooms[at], before: walk.rooms[at - 1], next };
}

const header = ["deck", "room", "room_name", "device_id", "name", "state", "at", "press_type", "via", "signal_strength", "battery", "note"];

/** The walk as CSV. */
export function csvOf(walk: Walk): string {
  const rows = walk.rooms.flatMap((r) =>
    r.buttons.map((b) => [r.deck, r.room, r.name, b.device_id, b.name, b.state, b.at, b.press_type, b.via, b.signal_strength, b.battery, b.note]));
  return csv([header, ...rows]);
}
