import { Eye, EyeOff, LogIn } from "lucide-react";
import { useState, type FormEvent, type ReactNode } from "react";
import { ApiError } from "../api/problem";
import { useWebMessages } from "../i18n/context";
import { spanOf } from "../time/span";
import { Button, IconButton } from "../ui/Button";
import { useErrorText } from "../ui/DataView";
import { TextField } from "../ui/Field";
import type { SessionKeeper } from "./session";

export interface SignInProps {
  keeper: SessionKeeper;
  /** The session ended by itself. */
  over: boolean;
  brand: ReactNode;
}

export function SignIn({ keeper, over, brand }: SignInProps) {
  const t = useWebMessages();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const { busy, failure, run } = useAttempt(() => keeper.signIn(username.trim(), password), t("auth.wrong"));
  return (
    <AuthFrame brand={brand} title={t("auth.signIn")} lead={over ? t("auth.over") : undefined}>
      <form onSubmit={run} className="flex flex-col gap-4" data-testid="sign-in">
        <TextField label={t("auth.username")} name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required autoFocus value={username} onChange={(e) => setUsername(e.target.value)} />
        <PasswordField label={t("auth.password")} name="password" autoComplete="current-password" value={password} onChange={setPassword} />
        <Failure text={failure} />
        <Button kind="primary" large type="submit" icon={LogIn} busy={busy}>{busy ? t("auth.signingIn") : t("auth.signIn")}</Button>
      </form>
    </AuthFrame>
  );
}

/** One try at a time, its failure in words; `refused` is the sentence for a 401. */
export function useAttempt(attempt: () => Promise<void>, refused: string) {
  const t = useWebMessages();
  const errorText = useErrorText();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const run = (e: FormEvent) => {
    e.preventDefault();
    if (busy) return;
    setBusy(true);
    setFailure(undefined);
    attempt().catch((error: unknown) => {
      setBusy(false);
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) setFailure(refused);
      else if (error.status === 429 && error.retryAfter) setFailure(t("auth.slowDown", { span: spanOf(error.retryAfter) }));
      else setFailure(errorText(error));
    });
  };
  return { busy, failure, run, setFailure };
}

export function Failure({ text }: { text: string | undefined }) {
  return <div role="status" className="empty:hidden rounded-control bg-bad-soft px-3 py-2 text-sm text-bad">{text}</div>;
}

export interface PasswordFieldProps {
  label: string;
  name: string;
  autoComplete: "current-password" | "new-password";
  value: string;
  onChange: (value: string) => void;
  hint?: string;
  error?: string | undefined;
  /** For one that the page has suggested: it can be read at once. */
  startShown?: boolean;
}

export function PasswordField({ onChange, startShown = false, ...rest }: PasswordFieldProps) {
  const t = useWebMessages();
  const [shown, setShown] = useState(startShown);
  return (
    <TextField
      {...rest}
      type={shown ? "text" : "password"}
      required
      onChange={(e) => onChange(e.target.value)}
      trailing={<IconButton icon={shown ? EyeOff : Eye} label={t("auth.showPassword")} aria-pressed={shown} onClick={() => setShown(!shown)} />}
    />
  );
}

export function AuthFrame({ brand, title, lead, children }: { brand: ReactNode; title: string; lead?: string | undefined; children: ReactNode }) {
  return (
    <main className="flex min-h-dvh flex-col items-center justify-center px-4 py-10">
      <div className="w-full max-w-sm">
        <div className="mb-8 flex justify-center">{brand}</div>
        <div className="rounded-card border border-line bg-ink-850 p-6">
          <h1 className="text-lg font-semibold">{title}</h1>
          {lead && <p className="mt-1 text-sm text-fg-muted">{lead}</p>}
          <div className="mt-5">{children}</div>
        </div>
      </div>
    </main>
  );
}
