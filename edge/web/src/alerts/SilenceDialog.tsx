import { Button, Choice, Dialog, DialogActions, TextField, useToast, useWork } from "@obedio/web";
import { BellOff } from "lucide-react";
import { useState } from "react";
import type { Alert } from "../api/resources";
import { useHub, useT } from "../context";
import { alerts as texts } from "../messages/alerts";
import { instantOf } from "../settings/instant";

const minutes = { hour: 60, shift: 480 };
type How = keyof typeof minutes | "until";

/** Not to hear an alert for an hour, a watch, or until a time. */
export function SilenceDialog({ alert, title, open, onClose }: { alert: Alert; title: string; open: boolean; onClose: () => void }) {
  const t = useT(texts);
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const [how, setHow] = useState<How>("hour");
  const [time, setTime] = useState("");
  const until = instantOf(time);
  const silence = async () => {
    if (how === "until" && until === undefined) return;
    if (!(await work.run(() => hub.silence(alert, how === "until" ? { until: until! } : { minutes: minutes[how] })))) return;
    toast({ tone: "ok", title: t("alerts.silenced"), detail: title });
    onClose();
  };
  return (
    <Dialog open={open} onOpenChange={(o) => !o && onClose()} title={t("alerts.silence")} description={title} testId="silence">
      <form
        className="flex flex-col gap-4"
        onSubmit={(e) => {
          e.preventDefault();
          void silence();
        }}
      >
        <Choice
          legend={t("alerts.silence.for")}
          value={how}
          onChange={setHow}
          options={[{ value: "hour", label: t("alerts.silence.hour") }, { value: "shift", label: t("alerts.silence.shift") }, { value: "until", label: t("alerts.silence.until") }]}
        />
        {how === "until" && <TextField label={t("alerts.silence.time")} hint={t("alerts.silence.hint")} type="datetime-local" value={time} onChange={(e) => setTime(e.target.value)} />}
        <p className="text-sm text-fg-muted">{t("alerts.silence.detail")}</p>
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        <DialogActions>
          <Button onClick={onClose}>{t("dialog.cancel")}</Button>
          <Button type="submit" kind="primary" icon={BellOff} busy={work.busy} disabled={how === "until" && until === undefined}>{t("alerts.silence")}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
