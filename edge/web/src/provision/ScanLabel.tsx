import { Button, Dialog, DialogActions, TextAreaField, TextField, useWork } from "@obedio/web";
import { CameraOff, ScanLine } from "lucide-react";
import { useState, type FormEvent } from "react";
import { useT } from "../context";
import { provision } from "../messages/provision";
import { Camera } from "./Camera";
import { keyHashOf, parseLabel, validHardwareId, type Label } from "./label";
import { canScan } from "./scanner";

export interface ScanLabelProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  /** Opens the window for the device with this label. */
  onLabel: (label: Label) => Promise<void>;
}

/** The label of a device that can show nothing itself: scanned, or typed. */
export function ScanLabel(props: ScanLabelProps) {
  const t = useT(provision);
  return (
    <Dialog open={props.open} onOpenChange={props.onOpenChange} title={t("label.title")} description={t(canScan() ? "label.detail" : "label.typed")} testId="scan-label">
      <LabelForm {...props} />
    </Dialog>
  );
}

function LabelForm({ onOpenChange, onLabel }: ScanLabelProps) {
  const t = useT(provision);
  const work = useWork();
  const scans = canScan();
  const [camera, setCamera] = useState(scans);
  const [id, setId] = useState("");
  const [key, setKey] = useState("");
  const [tried, setTried] = useState(false);
  const [foreign, setForeign] = useState(false);
  const keyHash = keyHashOf(key);
  const scanned = (text: string) => {
    const label = parseLabel(text);
    setForeign(label === undefined);
    if (!label) return;
    setId(label.hardwareId);
    setKey(label.keyHash);
    setCamera(false);
  };
  const submit = (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (work.busy || !validHardwareId(id) || keyHash === undefined) return;
    void work.run(() => onLabel({ hardwareId: id, keyHash }));
  };
  return (
    <form noValidate onSubmit={submit} className="flex flex-col gap-4">
      {camera ? (
        <Camera onText={scanned} onFailed={() => setCamera(false)} />
      ) : scans ? (
        <Button icon={ScanLine} onClick={() => setCamera(true)}>{t("label.camera")}</Button>
      ) : (
        <p className="flex items-start gap-2 text-sm text-fg-muted"><CameraOff aria-hidden className="mt-0.5 size-4.5 shrink-0" />{t("label.noCamera")}</p>
      )}
      {foreign && camera && <p role="status" className="text-sm text-warn">{t("label.foreign")}</p>}
      <TextField label={t("label.id")} hint={t("label.id.hint")} error={tried && !validHardwareId(id) ? t("label.id.wrong") : undefined} value={id} autoCapitalize="none" autoComplete="off" spellCheck={false} className="font-mono" onChange={(e) => setId(e.target.value.trim())} />
      <TextAreaField label={t("label.key")} hint={t("label.key.hint")} error={tried && keyHash === undefined ? t("label.key.wrong") : undefined} rows={3} value={key} autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(e) => setKey(e.target.value)} />
      {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      <DialogActions>
        <Button onClick={() => onOpenChange(false)}>{t("dialog.cancel")}</Button>
        <Button kind="primary" type="submit" busy={work.busy}>{t("label.use")}</Button>
      </DialogActions>
    </form>
  );
}
