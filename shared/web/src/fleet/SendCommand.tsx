import { Send } from "lucide-react";
import { useRef, useState, type FormEvent, type ReactNode } from "react";
import { newIdempotencyKey } from "../api/client";
import { ApiError } from "../api/problem";
import { useWebMessages } from "../i18n/context";
import { spanOf } from "../time/span";
import { Button } from "../ui/Button";
import { useErrorText } from "../ui/DataView";
import { Dialog, DialogActions } from "../ui/Dialog";
import { Choice, TextAreaField, TextField } from "../ui/Field";

export interface CommandDraft {
  name: string;
  args?: Record<string, unknown>;
  ttl_ms: number;
}

export interface SendCommandProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  /** The device's name, for the title. */
  device: string;
  /** Names that devices of this type know, offered while typing. */
  suggestions: readonly string[];
  /** The choices of time to live, in milliseconds. */
  ttls: readonly number[];
  /** The one that is chosen at first. */
  presetTtl: number;
  /** What the sender must know, given the chosen time to live: "site last seen 6 h ago; expires in 24 h". */
  advice?: (ttl: number) => ReactNode;
  /** Shows once more what is about to happen before it is sent, with what its button says. */
  review?: { text: (draft: CommandDraft) => ReactNode; send: string };
  /** Sends it. The key stays the same when the same draft is tried again. */
  send: (draft: CommandDraft, idempotencyKey: string) => Promise<void>;
}

/** Names that every type of device understands, as the simulated ones do. */
const everywhere: readonly string[] = ["locate", "config", "reset"];

/** Names of commands to offer for a type of device. */
export const suggestedCommands = (type: string): readonly string[] => (type === "watch" ? [...everywhere, "message"] : everywhere);

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export function SendCommand(props: SendCommandProps) {
  const t = useWebMessages();
  return (
    <Dialog open={props.open} onOpenChange={props.onOpenChange} title={t("send.title", { device: props.device })} testId="send-command">
      <SendForm {...props} />
    </Dialog>
  );
}

function SendForm({ suggestions, ttls, presetTtl, advice, review, send, onOpenChange }: SendCommandProps) {
  const t = useWebMessages();
  const errorText = useErrorText();
  const [name, setName] = useState("");
  const [args, setArgs] = useState("");
  const [ttl, setTtl] = useState(presetTtl);
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState(false);
  const [failure, setFailure] = useState<string>();
  const [reviewed, setReviewed] = useState<CommandDraft>();
  // One key per draft: a second try after a lost answer must not send twice.
  const sent = useRef<{ draft: string; key: string }>(undefined);
  const parsed = parseArgs(args);
  const nameError = tried && !namePattern.test(name) ? t("send.nameWrong") : undefined;
  const argsError = tried && parsed === "wrong" ? t("send.argsWrong") : undefined;

  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (busy || !namePattern.test(name) || parsed === "wrong") return;
    const draft: CommandDraft = { name, ttl_ms: ttl, ...(parsed ? { args: parsed } : {}) };
    if (review && !reviewed) {
      setReviewed(draft);
      return;
    }
    const text = JSON.stringify(draft);
    if (sent.current?.draft !== text) sent.current = { draft: text, key: newIdempotencyKey() };
    setBusy(true);
    setFailure(undefined);
    try {
      await send(draft, sent.current.key);
      onOpenChange(false);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setFailure(errorText(error));
      setBusy(false);
    }
  };

  if (review && reviewed) {
    return (
      <form onSubmit={(e) => void submit(e)} noValidate className="flex flex-col gap-4" data-testid="send-review">
        {review.text(reviewed)}
        {failure && <p role="status" className="text-sm text-bad">{failure}</p>}
        <DialogActions>
          <Button onClick={() => setReviewed(undefined)}>{t("send.back")}</Button>
          <Button kind="primary" type="submit" icon={Send} busy={busy} autoFocus>{busy ? t("send.sending") : review.send}</Button>
        </DialogActions>
      </form>
    );
  }
  return (
    <form onSubmit={(e) => void submit(e)} noValidate className="flex flex-col gap-4">
      <div>
        <TextField
          label={t("send.name")}
          hint={t("send.nameHint")}
          error={nameError}
          value={name}
          onChange={(e) => setName(e.target.value)}
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          autoFocus
        />
        <div className="mt-2 flex flex-wrap gap-2">
          {suggestions.map((s) => (
            <Button key={s} kind={s === name ? "primary" : "secondary"} className="font-mono text-xs!" onClick={() => setName(s)}>{s}</Button>
          ))}
        </div>
      </div>
      <TextAreaField label={t("send.args")} error={argsError} rows={2} value={args} onChange={(e) => setArgs(e.target.value)} spellCheck={false} placeholder="{}" />
      <Choice
        legend={t("send.ttl")}
        value={String(ttl)}
        options={ttls.map((ms) => ({ value: String(ms), label: t("time.span", { span: spanOf(ms) }) }))}
        onChange={(v) => setTtl(Number(v))}
      />
      <p className="text-xs text-fg-dim" data-testid="send-advice">{advice ? advice(ttl) : t("send.ttlHint")}</p>
      {failure && <p role="status" className="text-sm text-bad">{failure}</p>}
      <DialogActions>
        <Button onClick={() => onOpenChange(false)}>{t("dialog.cancel")}</Button>
        <Button kind="primary" type="submit" icon={Send} busy={busy}>{busy ? t("send.sending") : t(review ? "send.review" : "send.send")}</Button>
      </DialogActions>
    </form>
  );
}

function parseArgs(text: string): Record<string, unknown> | "wrong" | undefined {
  if (text.trim() === "") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below, beside the field.
  }
  return "wrong";
}
