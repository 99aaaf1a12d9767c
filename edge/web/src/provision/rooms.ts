import { useVersion } from "@obedio/web";
import type { Room } from "../api/resources";
import { useServerList } from "../lists";

export const roomKey = (r: Room) => r.room_id;

/** The names of rooms that may hold no device yet; a room without a name is called by its id. */
export function useRoomName(): (room: string) => string {
  const { list } = useServerList<Room>("/rooms", roomKey);
  useVersion(list);
  return (room) => list.get(room)?.name || room;
}
