import { SelectField, TextField, useFormats, useKeys, type Collection } from "@obedio/web";
import { useMemo } from "react";
import type { Room } from "../api/resources";
import { useHub, usePermits, useT } from "../context";
import { useServerList } from "../lists";
import { provision } from "../messages/provision";
import { roomIdOf } from "./label";
import { roomKey } from "./rooms";

/** A room that is there, or the name of one to make. */
export interface RoomChoice {
  room: string;
  newName: string;
}

/** The value of the entry that makes a room; no room's id begins so. */
export const newRoom = "+";

/** The id of the chosen room; empty when nothing is chosen. */
export function chosenRoom({ room, newName }: RoomChoice): string {
  return room === newRoom ? roomIdOf(newName) : room;
}

const roomIds = (rooms: Collection<Room>) => [...rooms.values()].map((r) => r.room_id);

export function RoomField({ value, error, onChange }: { value: RoomChoice; error?: string | undefined; onChange: (value: RoomChoice) => void }) {
  const t = useT(provision);
  const hub = useHub();
  const mayMake = usePermits("rooms.write");
  const { collator } = useFormats();
  const { list } = useServerList<Room>("/rooms", roomKey);
  const ids = useKeys(list, roomIds);
  const options = useMemo(() => {
    const names = new Map(ids.map((id) => [id, list.get(id)?.name || id]));
    // A device may be in a room that nobody has named yet.
    for (const d of hub.devices.values()) if (!names.has(d.room)) names.set(d.room, d.room_name || d.room);
    return [...names].map(([value, label]) => ({ value, label })).sort((a, b) => collator.compare(a.label, b.label));
  }, [ids, list, hub, collator]);
  return (
    <div className="flex flex-col gap-3">
      <SelectField
        label={t("provision.room")}
        error={value.room === newRoom ? undefined : error}
        value={value.room}
        onChange={(e) => onChange({ ...value, room: e.target.value })}
        options={[
          { value: "", label: t("provision.room.choose") },
          ...options,
          ...(mayMake ? [{ value: newRoom, label: t("provision.room.new") }] : []),
        ]}
      />
      {value.room === newRoom && (
        <TextField
          label={t("provision.room.name")}
          hint={t("provision.room.id", { id: roomIdOf(value.newName) })}
          error={error}
          value={value.newName}
          maxLength={128}
          autoFocus
          onChange={(e) => onChange({ ...value, newName: e.target.value })}
        />
      )}
    </div>
  );
}
