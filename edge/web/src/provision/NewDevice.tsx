import { Button, Fold, Section, SelectField, TextField, useKeys, useWork } from "@obedio/web";
import { useNavigate } from "@tanstack/react-router";
import { Printer, QrCode, ScanLine } from "lucide-react";
import { useState } from "react";
import type { Profile } from "../api/resources";
import { useCanWrite, useHub, usePermits, useT } from "../context";
import { useServerList } from "../lists";
import { provision } from "../messages/provision";
import { profileKey, profileNames } from "../security/profiles";
import type { Label } from "./label";
import { LifeField, defaultLife } from "./LifeField";
import { RoomField, chosenRoom, newRoom, type RoomChoice } from "./RoomField";
import { ScanLabel } from "./ScanLabel";
import { makeToken, type Want } from "./tokens";
import { TypeTiles } from "./TypeTiles";

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** What the device is to be; then a code, its label, or labels to print. */
export function NewDevice({ onMade }: { onMade: (tokenId: string) => void }) {
  const t = useT(provision);
  const hub = useHub();
  const navigate = useNavigate();
  const canWrite = useCanWrite();
  const work = useWork();
  const [type, setType] = useState("button");
  const [room, setRoom] = useState<RoomChoice>({ room: "", newName: "" });
  const [name, setName] = useState("");
  const [id, setId] = useState("");
  const [profile, setProfile] = useState("");
  const [life, setLife] = useState(defaultLife);
  const [tried, setTried] = useState(false);
  const [scanning, setScanning] = useState(false);
  const place = chosenRoom(room);
  const idWrong = id !== "" && !idPattern.test(id);
  const ready = place !== "" && !idWrong;

  /** Makes the room that was named, if it is new, and says what is wanted. */
  const want = async (): Promise<Want> => {
    if (room.room === newRoom) {
      await hub.api.put(`/rooms/${encodeURIComponent(place)}`, { name: room.newName.trim() });
      setRoom({ room: place, newName: "" });
    }
    return {
      type: type as NonNullable<Want["type"]>,
      room: place,
      ...(name.trim() ? { name: name.trim() } : {}),
      ...(id ? { device_id: id } : {}),
      ...(profile ? { security_profile: profile } : {}),
      life_s: life,
    };
  };
  const begin = (next: () => Promise<void> | void) => {
    setTried(true);
    if (ready && !work.busy) void work.run(async () => next());
  };
  const showCode = () => begin(async () => onMade((await makeToken(hub.api, await want())).id));
  const labels = () =>
    begin(async () => {
      const { room, security_profile } = await want();
      await navigate({ to: "/mqtt/devices/provision/labels", search: { type, room: room!, ...(security_profile ? { profile: security_profile } : {}) } });
    });
  const useLabel = async (label: Label) =>
    onMade((await makeToken(hub.api, { ...(await want()), hardware_id: label.hardwareId, key_hash: label.keyHash })).id);

  return (
    <Section title={t("provision.new")} note={t("provision.new.note")}>
      <form
        noValidate
        data-testid="new-device"
        onSubmit={(e) => {
          e.preventDefault();
          showCode();
        }}
        className="flex flex-col gap-5 p-4"
      >
        <TypeTiles value={type} onChange={setType} />
        <RoomField value={room} onChange={setRoom} error={tried && place === "" ? t("provision.room.missing") : undefined} />
        <Fold title={t("provision.more")} note={t("provision.more.note")}>
          <div className="grid gap-4 pt-2 sm:grid-cols-2">
            <TextField label={t("provision.name")} hint={t("provision.name.hint")} value={name} maxLength={128} onChange={(e) => setName(e.target.value)} />
            <TextField label={t("provision.id")} hint={t("provision.id.hint")} error={idWrong ? t("provision.id.wrong") : undefined} value={id} maxLength={64} autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(e) => setId(e.target.value.trim())} />
            <ProfileField type={type} value={profile} onChange={setProfile} />
            <LifeField value={life} onChange={setLife} />
          </div>
        </Fold>
        {work.failure && <p role="status" className="rounded-control bg-bad-soft px-3 py-2 text-sm text-bad">{work.failure}</p>}
        <div className="flex flex-col gap-3 sm:flex-row sm:flex-wrap">
          <Button kind="primary" large type="submit" icon={QrCode} busy={work.busy} disabled={!canWrite} className="sm:flex-1">{t("provision.show")}</Button>
          <Button large icon={ScanLine} disabled={!canWrite} onClick={() => begin(() => setScanning(true))}>{t("provision.scan")}</Button>
          <Button large icon={Printer} disabled={!canWrite} onClick={labels}>{t("provision.print")}</Button>
        </div>
        <p className="text-xs text-fg-dim">{t("provision.how")}</p>
      </form>
      <ScanLabel open={scanning} onOpenChange={setScanning} onLabel={useLabel} />
    </Section>
  );
}

function ProfileField({ type, value, onChange }: { type: string; value: string; onChange: (name: string) => void }) {
  const t = useT(provision);
  const may = usePermits("security.read");
  return may ? <KnownProfiles type={type} value={value} onChange={onChange} /> : (
    <TextField label={t("provision.profile")} hint={t("provision.profile.hint", { type })} value={value} maxLength={64} autoCapitalize="none" onChange={(e) => onChange(e.target.value.trim())} />
  );
}

function KnownProfiles({ type, value, onChange }: { type: string; value: string; onChange: (name: string) => void }) {
  const t = useT(provision);
  const { list } = useServerList<Profile>("/security/profiles", profileKey, true);
  const names = useKeys(list, profileNames);
  return (
    <SelectField
      label={t("provision.profile")}
      hint={t("provision.profile.hint", { type })}
      value={value}
      onChange={(e) => onChange(e.target.value)}
      options={[{ value: "", label: t("provision.profile.own", { type }) }, ...names.map((n) => ({ value: n, label: n }))]}
    />
  );
}
