import { Button, Choice, Dialog, DialogActions, SelectField, TextField, newIdempotencyKey, useFormats, useKeys, useToast, useWork, type Collection } from "@obedio/web";
import { useEffect, useMemo, useState } from "react";
import type { NewCall, Room, Service } from "../api/resources";
import { useHub, useT } from "../context";
import { useServerList } from "../lists";
import { callforms } from "../messages/callforms";

const serviceKey = (s: Service) => s.kind;
const kinds = (list: Collection<Service>) => [...list.ids()].sort();
const roomIds = (rooms: Collection<Room>) => [...rooms.ids()];
const priorities = ["normal", "urgent", "emergency"] as const;

/** Opens a request for somebody who has no button at hand. */
export function OpenCall({ onClose }: { onClose: () => void }) {
  const t = useT(callforms);
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const { collator } = useFormats();
  const [call, setCall] = useState<NewCall>({ room: "", priority: "normal" });
  // One key for one wish: a second press of the button after a lost answer opens no second call.
  const [key] = useState(newIdempotencyKey);
  useEffect(() => hub.readRooms(), [hub]);
  const ids = useKeys(hub.rooms, roomIds);
  const { list: services } = useServerList<Service>("/services", serviceKey, "crew");
  const offered = useKeys(services, kinds);
  const rooms = useMemo(
    () => ids.map((id) => ({ value: id, label: hub.rooms.get(id)?.name || id })).sort((a, b) => collator.compare(a.label, b.label)),
    [ids, hub, collator],
  );
  const open = async () => {
    const { note, kind, ...rest } = call;
    if (!(await work.run(() => hub.openCall({ ...rest, ...(kind ? { kind } : {}), ...(note?.trim() ? { note: note.trim() } : {}) }, key)))) return;
    toast({ tone: "ok", title: t("callform.open.done") });
    onClose();
  };
  return (
    <Dialog open onOpenChange={onClose} title={t("callform.open")} description={t("callform.open.detail")} testId="open-call">
      <form
        className="flex flex-col gap-4"
        onSubmit={(e) => {
          e.preventDefault();
          if (call.room && !work.busy) void open();
        }}
      >
        <SelectField
          label={t("callform.room")}
          value={call.room}
          onChange={(e) => setCall({ ...call, room: e.target.value })}
          options={[{ value: "", label: t("callform.room.choose") }, ...rooms]}
        />
        {offered.length > 0 && (
          <SelectField
            label={t("callform.kind")}
            value={call.kind ?? ""}
            onChange={(e) => setCall({ ...call, kind: e.target.value })}
            options={[{ value: "", label: t("callform.kind.none") }, ...offered.map((kind) => ({ value: kind, label: services.get(kind)?.label || kind }))]}
          />
        )}
        <Choice
          legend={t("callform.priority")}
          value={call.priority}
          onChange={(priority) => setCall({ ...call, priority })}
          options={priorities.map((p) => ({ value: p, label: t(`priority.${p}`) }))}
        />
        <TextField label={t("callform.note")} value={call.note ?? ""} maxLength={200} onChange={(e) => setCall({ ...call, note: e.target.value })} />
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        <DialogActions>
          <Button onClick={onClose}>{t("dialog.cancel")}</Button>
          <Button kind="primary" type="submit" busy={work.busy} disabled={!call.room}>{work.busy ? t("callform.open.doing") : t("callform.open.do")}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
