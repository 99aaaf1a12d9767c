import { KeyRound, WandSparkles } from "lucide-react";
import { useState, type FormEvent } from "react";
import { PasswordField } from "../auth/SignIn";
import { shortestPassword } from "../auth/FirstRun";
import { Button } from "../ui/Button";
import { Dialog, DialogActions } from "../ui/Dialog";
import { TextField } from "../ui/Field";
import { useToast } from "../ui/Toasts";
import { useAction } from "./action";
import { FormFailure } from "./parts";
import { useCanWrite, usePeople, usePeopleT } from "./program";
import { pinFault, pinLength, suggestPassword } from "./secrets";

/** Whose secret it is. */
export interface SecretOwner {
  user_id: string;
  name: string;
}

export interface SecretFieldsProps {
  onClose: () => void;
  owner: SecretOwner;
  /** One's own needs the secret until now. */
  own: boolean;
}

export interface SecretFormProps extends SecretFieldsProps {
  open: boolean;
}

/** A password that is typed, or suggested and then readable. */
export function NewPasswordField({ value, onChange, error, suggest }: { value: string; onChange: (v: string) => void; error?: string | undefined; suggest: boolean }) {
  const t = usePeopleT();
  const [suggested, setSuggested] = useState(0);
  return (
    <div className="flex flex-col items-start gap-2">
      <div className="w-full">
        <PasswordField key={suggested} startShown={suggested > 0} label={t("password.new")} hint={t("password.hint")} error={error} name="new-password" autoComplete="new-password" value={value} onChange={onChange} />
      </div>
      {suggest && (
        <Button
          kind="quiet"
          icon={WandSparkles}
          className="-ml-2 px-2!"
          onClick={() => {
            onChange(suggestPassword());
            setSuggested(suggested + 1);
          }}
        >
          {t("password.suggest")}
        </Button>
      )}
    </div>
  );
}

export function PasswordForm(props: SecretFormProps) {
  const t = usePeopleT();
  const { open, onClose, owner, own } = props;
  return (
    <Dialog open={open} onOpenChange={(next) => !next && onClose()} title={own ? t("password.change") : t("password.title", { name: owner.name })} description={own ? t("password.ownEnds") : t("password.others")} testId="password-form">
      <PasswordFields {...props} />
    </Dialog>
  );
}

/** What is inside the dialog, so that each opening begins with empty fields. */
export function PasswordFields({ onClose, owner, own }: SecretFieldsProps) {
  const t = usePeopleT();
  const people = usePeople();
  const toast = useToast();
  const canWrite = useCanWrite();
  const { busy, failure, run } = useAction();
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const [tried, setTried] = useState(false);
  const short = password.length < shortestPassword;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (short) return;
    const done = await run(
      () => people.setPassword(owner.user_id, password, own ? current : undefined),
      (error) => (own && error.status === 403 ? t("password.wrong") : undefined),
    );
    if (!done) return;
    toast({ tone: "ok", title: t("password.done") });
    onClose();
  };
  return (
    <form noValidate onSubmit={(e) => void submit(e)} className="flex flex-col gap-4">
      {own && <PasswordField label={t("password.current")} name="current-password" autoComplete="current-password" value={current} onChange={setCurrent} />}
      <NewPasswordField value={password} onChange={setPassword} suggest={!own} error={tried && short ? t("auth.setup.passwordShort") : undefined} />
      <FormFailure text={failure} />
      <DialogActions>
        <Button onClick={onClose}>{t("dialog.cancel")}</Button>
        <Button kind="primary" type="submit" icon={KeyRound} busy={busy} disabled={!canWrite}>{busy ? t("password.setting") : t("password.set")}</Button>
      </DialogActions>
    </form>
  );
}

export function PinForm(props: SecretFormProps) {
  const t = usePeopleT();
  const { open, onClose, owner, own } = props;
  return (
    <Dialog open={open} onOpenChange={(next) => !next && onClose()} title={own ? t("pin.own") : t("pin.title", { name: owner.name })} description={t("pin.ends")} testId="pin-form">
      <PinFields {...props} />
    </Dialog>
  );
}

export function PinFields({ onClose, owner, own }: SecretFieldsProps) {
  const t = usePeopleT();
  const people = usePeople();
  const toast = useToast();
  const canWrite = useCanWrite();
  const { busy, failure, run } = useAction();
  const [current, setCurrent] = useState("");
  const [pin, setPin] = useState("");
  const [tried, setTried] = useState(false);
  const fault = pinFault(pin);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (fault) return;
    const done = await run(
      () => people.setPin(owner.user_id, pin, own ? current : undefined),
      (error) => (own && error.status === 403 ? t("pin.wrong") : undefined),
    );
    if (!done) return;
    toast({ tone: "ok", title: t("pin.done") });
    onClose();
  };
  return (
    <form noValidate onSubmit={(e) => void submit(e)} className="flex flex-col gap-4">
      {own && <PasswordField label={t("pin.current")} name="current-password" autoComplete="current-password" value={current} onChange={setCurrent} />}
      <TextField
        label={t("pin.new")}
        hint={t("pin.hint")}
        error={tried && fault ? t(`pin.${fault}`) : undefined}
        inputMode="numeric"
        autoComplete="off"
        maxLength={pinLength}
        value={pin}
        onChange={(e) => setPin(e.target.value.replace(/\D/g, ""))}
        className="font-mono text-lg! tracking-[0.4em]"
      />
      <FormFailure text={failure} />
      <DialogActions>
        <Button onClick={onClose}>{t("dialog.cancel")}</Button>
        <Button kind="primary" type="submit" icon={KeyRound} busy={busy} disabled={!canWrite}>{busy ? t("pin.setting") : t("pin.set")}</Button>
      </DialogActions>
    </form>
  );
}
