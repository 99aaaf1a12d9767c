import { UserPlus } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useWebMessages } from "../i18n/context";
import { Button } from "../ui/Button";
import { TextField } from "../ui/Field";
import type { SessionKeeper } from "./session";
import { AuthFrame, Failure, PasswordField, useAttempt } from "./SignIn";

/** The shortest password the programs take. */
export const shortestPassword = 8;

/** Setup code and administrator: seen once in a program's life. */
export function FirstRun({ keeper, brand }: { keeper: SessionKeeper; brand: ReactNode }) {
  const t = useWebMessages();
  const [code, setCode] = useState("");
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [tried, setTried] = useState(false);
  const short = password.length < shortestPassword;
  const differ = password !== again;
  const { busy, failure, run } = useAttempt(() => keeper.setUp(code.trim(), username.trim(), password), t("auth.wrong"));
  return (
    <AuthFrame brand={brand} title={t("auth.setup.title")} lead={t("auth.setup.lead")}>
      <form
        data-testid="first-run"
        className="flex flex-col gap-4"
        onSubmit={(e) => {
          setTried(true);
          if (short || differ) e.preventDefault();
          else run(e);
        }}
      >
        <TextField label={t("auth.setup.code")} hint={t("auth.setup.codeHint")} name="code" required autoFocus autoComplete="one-time-code" autoCapitalize="none" spellCheck={false} className="font-mono" value={code} onChange={(e) => setCode(e.target.value)} />
        <TextField label={t("auth.username")} hint={t("auth.setup.usernameHint")} name="username" required autoComplete="username" autoCapitalize="none" spellCheck={false} value={username} onChange={(e) => setUsername(e.target.value)} />
        <PasswordField label={t("auth.password")} hint={t("auth.setup.passwordHint")} error={tried && short ? t("auth.setup.passwordShort") : undefined} name="new-password" autoComplete="new-password" value={password} onChange={setPassword} />
        <PasswordField label={t("auth.setup.repeat")} error={tried && !short && differ ? t("auth.setup.differ") : undefined} name="repeat-password" autoComplete="new-password" value={again} onChange={setAgain} />
        <Failure text={failure} />
        <Button kind="primary" large type="submit" icon={UserPlus} busy={busy}>{busy ? t("auth.setup.creating") : t("auth.setup.create")}</Button>
      </form>
    </AuthFrame>
  );
}
