import { Button, Choice, Dialog, DialogActions, TextField } from "@obedio/web";
import { useState } from "react";
import type { CallRequest, CancelReason } from "../api/resources";
import { useT } from "../context";

const reasons: readonly CancelReason[] = ["guest", "false_press", "duplicate", "other"];

export interface CancelCallProps {
  request: CallRequest;
  open: boolean;
  busy: boolean;
  onOpenChange: (open: boolean) => void;
  onCancel: (reason: CancelReason, note: string) => void;
}

export function CancelCall({ request, open, busy, onOpenChange, onCancel }: CancelCallProps) {
  const t = useT();
  const [reason, setReason] = useState<CancelReason>("guest");
  const [note, setNote] = useState("");
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={t("cancel.title", { room: request.room_name })} description={t("cancel.detail")} testId="cancel-call">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (!busy) onCancel(reason, note.trim());
        }}
        className="flex flex-col gap-4"
      >
        <Choice legend={t("cancel.reason")} value={reason} onChange={setReason} options={reasons.map((r) => ({ value: r, label: t(`cancel.${r}`) }))} />
        <TextField label={t("cancel.note")} value={note} maxLength={200} onChange={(e) => setNote(e.target.value)} />
        <DialogActions>
          <Button onClick={() => onOpenChange(false)}>{t("cancel.keep")}</Button>
          <Button kind="danger" type="submit" busy={busy}>{busy ? t("cancel.doing") : t("cancel.do")}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
