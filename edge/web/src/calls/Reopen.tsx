import { Button, Dialog, DialogActions, TextField, useToast, useWork } from "@obedio/web";
import { useState } from "react";
import type { CallRequest } from "../api/resources";
import { useHub, useT } from "../context";
import { callforms } from "../messages/callforms";

/** Opens a call that has ended too early again, as a new one. */
export function Reopen({ request, onClose, onOpened }: { request: CallRequest; onClose: () => void; onOpened?: (next: CallRequest) => void }) {
  const t = useT(callforms);
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const [note, setNote] = useState("");
  const reopen = async () => {
    let next: CallRequest | undefined;
    if (!(await work.run(async () => (next = await hub.reopen(request, note.trim()))))) return;
    toast({ tone: "ok", title: t("callform.open.done"), detail: request.room_name });
    onClose();
    if (next) onOpened?.(next);
  };
  return (
    <Dialog open onOpenChange={onClose} title={t("callform.reopen", { room: request.room_name || request.room })} description={t("callform.reopen.detail")} testId="reopen">
      <form
        className="flex flex-col gap-4"
        onSubmit={(e) => {
          e.preventDefault();
          if (!work.busy) void reopen();
        }}
      >
        <TextField label={t("callform.note")} value={note} maxLength={200} onChange={(e) => setNote(e.target.value)} />
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        <DialogActions>
          <Button onClick={onClose}>{t("callform.keep")}</Button>
          <Button kind="primary" type="submit" busy={work.busy}>{t("callform.reopen.do")}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
