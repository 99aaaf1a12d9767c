import { Button, Dialog, DialogActions, TextField, useToast, useWork } from "@obedio/web";
import { useNavigate } from "@tanstack/react-router";
import { Archive } from "lucide-react";
import { useState } from "react";
import type { Device } from "../api/resources";
import { useCanWrite, useHub, useT } from "../context";
import { device as texts } from "../messages/device";

/** Takes a device out of use for good; its id is typed, as nothing brings it back. */
export function Retire({ device, onClose }: { device: Device; onClose: () => void }) {
  const t = useT(texts);
  const hub = useHub();
  const toast = useToast();
  const navigate = useNavigate();
  const canWrite = useCanWrite();
  const work = useWork();
  const [typed, setTyped] = useState("");
  const sure = typed.trim() === device.device_id;
  const retire = async () => {
    if (!(await work.run(() => hub.api.delete(`/devices/${encodeURIComponent(device.device_id)}`, { ifMatch: device.etag })))) return;
    toast({ tone: "ok", title: t("device.retire.done"), detail: device.name || device.device_id });
    hub.devices.remove(device.device_id);
    await navigate({ to: "/mqtt/devices" });
  };
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={t("device.retire.title", { name: device.name || device.device_id })} description={t("device.retire.detail")} testId="retire-device">
      <form
        noValidate
        className="flex flex-col gap-4"
        onSubmit={(e) => {
          e.preventDefault();
          if (sure && !work.busy) void retire();
        }}
      >
        <TextField label={t("device.retire.type", { id: device.device_id })} value={typed} autoCapitalize="none" autoComplete="off" autoCorrect="off" spellCheck={false} onChange={(e) => setTyped(e.target.value)} />
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        <DialogActions>
          <Button onClick={onClose}>{t("dialog.cancel")}</Button>
          <Button kind="danger" type="submit" icon={Archive} busy={work.busy} disabled={!sure || !canWrite}>{t("device.retire.do")}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
