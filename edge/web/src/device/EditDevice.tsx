import { Button, Dialog, DialogActions, ErrorNote, SelectField, Skeletons, TextField, useKeys, useToast, type Collection } from "@obedio/web";
import { Save } from "lucide-react";
import { useState } from "react";
import type { Device, PressProfile, Profile } from "../api/resources";
import { useHub, usePermits, useT } from "../context";
import { useServerList } from "../lists";
import { device as texts } from "../messages/device";
import { RoomField, chosenRoom, newRoom, type RoomChoice } from "../provision/RoomField";
import { Conflict } from "../security/Conflict";
import { differences } from "../security/drafts";
import { IdsField } from "../security/IdsField";
import { profileKey, profileNames } from "../security/profiles";
import { useEditor } from "../security/useEditor";
import { Lines } from "./Lines";
import { faultOf, linesOfTexts, textsOf, type Line, type LineFault } from "./lines";

interface Draft {
  name: string;
  room: RoomChoice;
  security_profile: string;
  press_profile: string;
  tags: string[];
  metadata: Line[];
}

const draftOf = (d: Device): Draft => ({
  name: d.name ?? "", room: { room: d.room, newName: "" }, security_profile: d.security_profile, press_profile: d.press_profile ?? "", tags: d.tags,
  metadata: linesOfTexts(d.metadata),
});

const blank: Draft = { name: "", room: { room: "", newName: "" }, security_profile: "", press_profile: "", tags: [], metadata: [] };

/** What people say of a device: name, place, rights, what its presses mean, tags. */
export function EditDevice({ device, onClose }: { device: Device; onClose: () => void }) {
  const t = useT(texts);
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={t("device.edit.title")} testId="edit-device">
      <Form device={device} onClose={onClose} />
    </Dialog>
  );
}

function useFault(): (fault: LineFault | undefined) => string | undefined {
  const t = useT(texts);
  return (fault) => fault && (fault.kind === "twice" ? t("device.edit.twice", { name: fault.name }) : t("device.edit.noName"));
}

function Form({ device, onClose }: { device: Device; onClose: () => void }) {
  const t = useT(texts);
  const hub = useHub();
  const toast = useToast();
  const faultText = useFault();
  const maySecure = usePermits("security.read");
  const [tried, setTried] = useState(false);
  const editor = useEditor<Device, Draft>({
    path: "/devices",
    id: device.device_id,
    draftOf,
    bodyOf: (d) => ({
      room: chosenRoom(d.room), name: d.name.trim(), security_profile: d.security_profile, press_profile: d.press_profile, tags: d.tags, metadata: textsOf(d.metadata),
      ...(device.legacy_device_id ? { legacy_device_id: device.legacy_device_id } : {}),
    }),
    newBodyOf: () => ({}),
    blank,
  });
  const { draft, theirs, work } = editor;
  if (draft === undefined) return editor.error ? <ErrorNote error={editor.error} onRetry={editor.retry} /> : <Skeletons count={4} itemClass="h-16" className="flex flex-col gap-3" />;
  const put = (next: Partial<Draft>) => editor.set({ ...draft, ...next });
  const noRoom = chosenRoom(draft.room) === "" ? t("device.edit.noRoom") : undefined;
  const fault = faultText(faultOf(draft.metadata));
  const finish = async (write: () => Promise<boolean>) => {
    if (draft.room.room === newRoom) {
      const made = await work.run(() => hub.api.put(`/rooms/${encodeURIComponent(chosenRoom(draft.room))}`, { name: draft.room.newName.trim() }));
      if (!made) return false;
    }
    if (!(await write())) return false;
    toast({ tone: "ok", title: t("device.edit.saved") });
    onClose();
    return true;
  };
  return (
    <form
      noValidate
      className="flex flex-col gap-5"
      onSubmit={(e) => {
        e.preventDefault();
        setTried(true);
        if (!noRoom && !fault && !work.busy) void finish(editor.save);
      }}
    >
      <TextField label={t("device.edit.name")} value={draft.name} maxLength={128} onChange={(e) => put({ name: e.target.value })} />
      <div>
        <RoomField value={draft.room} error={tried ? noRoom : undefined} onChange={(room) => put({ room })} />
        {chosenRoom(draft.room) !== device.room && !noRoom && <p className="mt-1.5 text-xs text-fg-dim">{t("device.edit.moved")}</p>}
      </div>
      {device.type === "button" && <PressProfileField value={draft.press_profile} onChange={(press_profile) => put({ press_profile })} />}
      {maySecure && <SecurityProfileField value={draft.security_profile} onChange={(security_profile) => put({ security_profile })} />}
      <IdsField label={t("device.edit.tags")} hint={t("device.edit.tags.hint")} error={undefined} value={draft.tags} onChange={(tags) => put({ tags })} />
      <Lines
        legend={t("device.edit.metadata")} nameLabel={t("device.edit.metadata.name")} valueLabel={t("device.edit.metadata.value")}
        lines={draft.metadata} onChange={(metadata) => put({ metadata })}
      />
      {tried && fault && <p role="status" className="text-sm text-warn">{fault}</p>}
      {work.failure && !theirs && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      <DialogActions>
        <Button onClick={onClose}>{t("dialog.cancel")}</Button>
        <Button kind="primary" type="submit" icon={Save} busy={work.busy} disabled={!editor.dirty}>{t("device.edit.save")}</Button>
      </DialogActions>
      <Conflict
        open={theirs !== undefined}
        rows={theirs === undefined ? [] : conflictRows(draft, draftOf(theirs)).map(({ field, mine, theirs: other }) => ({ id: field, label: t(labels[field]), mine, theirs: other }))}
        onTakeTheirs={editor.takeTheirs}
        onOverwrite={() => finish(editor.overwrite)}
        onKeepEditing={editor.keepEditing}
      />
    </form>
  );
}

const labels = {
  name: "device.edit.name", room: "devices.col.room", security_profile: "device.profile", press_profile: "device.edit.press", tags: "device.edit.tags", metadata: "device.edit.metadata",
} as const satisfies Record<keyof Draft, string>;

function conflictRows(mine: Draft, theirs: Draft) {
  const plain = (d: Draft, field: keyof Draft) => (field === "room" ? chosenRoom(d.room) : field === "metadata" ? d.metadata.map((l) => `${l.name}: ${l.value}`).join("; ") : String(d[field]));
  return differences(mine, theirs).map((field) => ({ field, mine: plain(mine, field), theirs: plain(theirs, field) }));
}

const pressKey = (p: PressProfile) => p.name;
const pressNames = (list: Collection<PressProfile>) => [...list.values()].map((p) => p.name);

function PressProfileField({ value, onChange }: { value: string; onChange: (name: string) => void }) {
  const t = useT(texts);
  const { list } = useServerList<PressProfile>("/press-profiles", pressKey);
  const names = useKeys(list, pressNames);
  const all = value === "" || names.includes(value) ? names : [...names, value];
  return (
    <SelectField
      label={t("device.edit.press")} value={value} onChange={(e) => onChange(e.target.value)}
      options={[{ value: "", label: t("device.edit.press.site") }, ...all.map((n) => ({ value: n, label: n }))]}
    />
  );
}

function SecurityProfileField({ value, onChange }: { value: string; onChange: (name: string) => void }) {
  const t = useT(texts);
  const { list } = useServerList<Profile>("/security/profiles", profileKey, true);
  const names = useKeys(list, profileNames);
  const all = names.includes(value) ? names : [...names, value];
  return <SelectField label={t("device.profile")} hint={t("device.edit.profile.hint")} value={value} onChange={(e) => onChange(e.target.value)} options={all.map((n) => ({ value: n, label: n }))} />;
}
