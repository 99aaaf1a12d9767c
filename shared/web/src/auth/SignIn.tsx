import { Eye, EyeOff, LogIn } from "lucide-react";
import { useCallback, useEffect, useState, type FormEvent, type ReactNode } from "react";
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
  /** Other ways to sign in, above the form. */
  before?: ReactNode;
  /** A way back, below it. */
  after?: ReactNode;
}

export function SignIn({ keeper, over, brand, before, after }: SignInProps) {
  const t = useWebMessages();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const { busy, failure, waiting, run } = useAttempt(() => keeper.signIn(username.trim(), password), t("auth.wrong"));
  return (
    <AuthFrame brand={brand} title={t("auth.signIn")} lead={over ? t("auth.over") : undefined}>
      {before}
      <form onSubmit={run} className="flex flex-col gap-4" data-testid="sign-in">
        <TextField label={t("auth.username")} name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required autoFocus value={username} onChange={(e) => setUsername(e.target.value)} />
        <PasswordField label={t("auth.password")} name="password" autoComplete="current-password" value={password} onChange={setPassword} />
        <Failure text={failure} />
        <Button kind={before ? "secondary" : "primary"} large type="submit" icon={LogIn} busy={busy} disabled={waiting}>{busy ? t("auth.signingIn") : t("auth.signIn")}</Button>
      </form>
      {after}
    </AuthFrame>
  );
}

/** One try at a time, its failure in words; `refused` is the sentence for a 401. While the program wants a pause, `failure` counts it down. */
export function useAttempt(attempt: () => Promise<void>, refused: string) {
  const t = useWebMessages();
  const errorText = useErrorText();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const pause = usePause();
  const go = () => {
    if (busy || pause.left > 0) return;
    setBusy(true);
    setFailure(undefined);
    attempt().then(
      () => setBusy(false),
      (error: unknown) => {
        setBusy(false);
        if (!(error instanceof ApiError)) throw error;
        if (error.status === 401) setFailure(refused);
        else if (error.status === 429 && error.retryAfter) pause.start(error.retryAfter);
        else setFailure(errorText(error));
      },
    );
  };
  const run = (e: FormEvent) => {
    e.preventDefault();
    go();
  };
  const waiting = pause.left > 0;
  return { busy, failure: waiting ? t("auth.slowDown", { span: spanOf(pause.left) }) : failure, waiting, run, go, setFailure };
}

/** A wait that the program has asked for; `left` milliseconds of it, in whole seconds. */
export function usePause(): { left: number; start: (ms: number) => void } {
  const [until, setUntil] = useState(0);
  const [now, setNow] = useState(0);
  useEffect(() => {
    if (until === 0) return;
    const timer = setInterval(() => {
      const at = Date.now();
      setNow(at);
      if (at >= until) setUntil(0);
    }, 250);
    return () => clearInterval(timer);
  }, [until]);
  const start = useCallback((ms: number) => {
    const at = Date.now();
    setNow(at);
    setUntil(at + ms);
  }, []);
  return { left: until === 0 ? 0 : Math.ceil(Math.max(0, until - now) / 1000) * 1000, start };
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

export interface AuthFrameProps {
  brand: ReactNode;
  title: string;
  lead?: string | undefined;
  /** For names side by side. */
  wide?: boolean;
  children: ReactNode;
}

export function AuthFrame({ brand, title, lead, wide = false, children }: AuthFrameProps) {
  return (
    <main className="flex min-h-dvh flex-col items-center justify-center px-4 py-10">
      <div className={wide ? "w-full max-w-2xl" : "w-full max-w-sm"}>
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
