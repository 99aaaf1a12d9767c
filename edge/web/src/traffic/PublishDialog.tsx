import { Button, CheckField, Dialog, DialogActions, SelectField, TextAreaField, TextField, newIdempotencyKey, useToast, useWork } from "@obedio/web";
import { Send } from "lucide-react";
import { useState, type FormEvent } from "react";
import { useCanWrite, useHub, useSystem, useT } from "../context";
import { traffic } from "../messages/traffic";

export interface Draft {
  topic: string;
  payload: string;
}

const levels = ["0", "1", "2"];

/** A message by hand. */
export function PublishDialog({ draft, onClose }: { draft: Draft; onClose: () => void }) {
  const t = useT(traffic);
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={t("publish.title")} description={t("publish.detail")} testId="publish">
      <Form draft={draft} onClose={onClose} />
    </Dialog>
  );
}

function Form({ draft, onClose }: { draft: Draft; onClose: () => void }) {
  const t = useT(traffic);
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const canWrite = useCanWrite();
  const site = useSystem()?.site ?? "";
  const [topic, setTopic] = useState(draft.topic);
  const [payload, setPayload] = useState(draft.payload);
  const [qos, setQos] = useState("1");
  const [retain, setRetain] = useState(false);
  // The same message tried again after a lost answer is published once.
  const [sent, setSent] = useState<{ text: string; key: string }>();
  const publish = async (e: FormEvent) => {
    e.preventDefault();
    const body = { topic: topic.trim(), payload, qos: Number(qos), retain };
    const text = JSON.stringify(body);
    const key = sent?.text === text ? sent.key : newIdempotencyKey();
    setSent({ text, key });
    let subscribers = 0;
    const done = await work.run(async () => {
      ({ subscribers } = await hub.api.post<{ subscribers: number }>("/traffic/publish", body, { idempotencyKey: key }));
    });
    if (!done) return;
    toast({ tone: subscribers === 0 ? "warn" : "ok", title: t("publish.done", { n: subscribers }), detail: body.topic });
    onClose();
  };
  return (
    <form onSubmit={(e) => void publish(e)} className="flex flex-col gap-4">
      <TextField label={t("publish.topic")} hint={t("publish.topic.hint", { site })} value={topic} maxLength={256} autoCapitalize="none" spellCheck={false} onChange={(e) => setTopic(e.target.value)} />
      <TextAreaField label={t("publish.payload")} hint={t("publish.payload.hint")} rows={4} value={payload} spellCheck={false} onChange={(e) => setPayload(e.target.value)} />
      <div className="flex flex-wrap items-end gap-x-6 gap-y-3">
        <div className="w-28"><SelectField label={t("publish.qos")} value={qos} options={levels.map((value) => ({ value, label: value }))} onChange={(e) => setQos(e.target.value)} /></div>
        <CheckField label={t("publish.retain")} hint={t("publish.retain.hint")} checked={retain} onChange={setRetain} />
      </div>
      {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      <DialogActions>
        <Button onClick={onClose}>{t("dialog.cancel")}</Button>
        <Button kind="primary" type="submit" icon={Send} busy={work.busy} disabled={!canWrite || topic.trim() === ""}>{t("publish.do")}</Button>
      </DialogActions>
    </form>
  );
}
