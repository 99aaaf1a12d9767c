import { CircleDashed, CircleSlash, Link2, Link2Off, LoaderCircle, RotateCcw, type LucideIcon } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import type { ApiError } from "../api/problem";
import { useSentences } from "../i18n/context";
import { RelativeTime, useClock } from "../time/hooks";
import { Button } from "../ui/Button";
import { classes } from "../ui/classes";
import { useErrorText } from "../ui/DataView";
import { toneText, type Tone } from "../ui/Pill";
import { apiErrorOf, type Audit } from "./audit";
import { auditTexts } from "./texts";
import type { AuditChain, AuditVerification } from "./types";

type State = { kind: "checking" } | { kind: "checked"; at: number; result: AuditVerification } | { kind: "failed"; error: ApiError };

/** Whether every entry is what was written: green, red, or not known. */
export function ChainMark({ audit }: { audit: Audit }) {
  const t = useSentences(auditTexts);
  const clock = useClock();
  const errorText = useErrorText();
  const [state, setState] = useState<State>({ kind: "checking" });
  const check = useCallback(() => {
    const reading = new AbortController();
    setState({ kind: "checking" });
    audit.verify(reading.signal).then(
      (result) => setState({ kind: "checked", at: clock.now(), result }),
      (error: unknown) => {
        if (!reading.signal.aborted) setState({ kind: "failed", error: apiErrorOf(error) });
      },
    );
    return () => reading.abort();
  }, [audit, clock]);
  useEffect(check, [check]);

  const chains = state.kind === "checked" ? state.result.chains : [];
  const entries = chains.reduce((n, c) => n + c.entries, 0);
  const look = lookOf(state, chains.length);
  const words = {
    checking: { title: t("chain.checking"), detail: undefined },
    ok: { title: t("chain.ok"), detail: t("chain.ok.detail", { n: entries }) },
    broken: { title: t("chain.broken"), detail: t("chain.broken.detail") },
    empty: { title: t("chain.empty"), detail: undefined },
    failed: { title: t("chain.failed"), detail: state.kind === "failed" ? errorText(state.error) : undefined },
  }[look.mark];
  const Icon = look.icon;
  return (
    <section aria-label={t("chain.title")} data-testid="chain" data-mark={look.mark} className={classes("rounded-card border px-4 py-3", look.frame)}>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <Icon aria-hidden className={classes("size-6 shrink-0", toneText[look.tone], look.mark === "checking" && "animate-spin motion-reduce:animate-none")} />
        <div role="status" className="min-w-0 flex-1 basis-56">
          <p className={classes("text-sm font-semibold", toneText[look.tone])}>{`${t("chain.title")}: ${words.title}`}</p>
          {words.detail && <p className="mt-0.5 text-xs text-fg-muted">{words.detail}</p>}
        </div>
        {state.kind === "checked" && <span className="text-xs text-fg-dim">{t("chain.checked")} <RelativeTime at={state.at} /></span>}
        {state.kind !== "checking" && <Button kind="quiet" icon={RotateCcw} onClick={check}>{t("chain.again")}</Button>}
      </div>
      {chains.length > 0 && <Chains chains={chains} open={look.mark === "broken"} />}
    </section>
  );
}

function lookOf(state: State, chains: number): { mark: "checking" | "ok" | "broken" | "empty" | "failed"; icon: LucideIcon; tone: Tone; frame: string } {
  const plain = "border-line bg-ink-850";
  if (state.kind === "checking") return { mark: "checking", icon: LoaderCircle, tone: "idle", frame: plain };
  if (state.kind === "failed") return { mark: "failed", icon: CircleSlash, tone: "warn", frame: plain };
  if (!state.result.ok) return { mark: "broken", icon: Link2Off, tone: "bad", frame: "border-bad/50 bg-bad-soft" };
  if (chains === 0) return { mark: "empty", icon: CircleDashed, tone: "idle", frame: plain };
  return { mark: "ok", icon: Link2, tone: "ok", frame: "border-ok/40 bg-ok-soft" };
}

function Chains({ chains, open }: { chains: readonly AuditChain[]; open: boolean }) {
  const t = useSentences(auditTexts);
  return (
    <details open={open} className="mt-2 text-xs text-fg-muted">
      <summary className="min-h-6 w-fit cursor-pointer rounded-md">{t("chain.details")}</summary>
      <ul aria-label={t("chain.list")} className="mt-1 flex flex-col gap-3">
        {chains.map((chain) => (
          <li key={chain.chain} data-chain-ok={chain.ok} className="flex flex-col gap-1">
            <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
              <code className="font-mono break-all">{chain.chain}</code>
              <span>{t("chain.entries", { n: chain.entries })}</span>
              {chain.continues && <span>{t("chain.continues", { chain: chain.continues.chain, n: chain.continues.n })}</span>}
            </span>
            {!chain.ok && (
              <span className="flex items-start gap-1.5 text-bad">
                <Link2Off aria-hidden className="mt-0.5 size-4 shrink-0" />
                {chain.first_bad === undefined ? chain.what : t("chain.firstBad", { n: chain.first_bad, what: chain.what ?? "" })}
              </span>
            )}
            <span>{t("chain.head")}: <code className="font-mono break-all">{chain.head}</code></span>
          </li>
        ))}
      </ul>
      <p className="mt-2 text-fg-dim">{t("chain.head.hint")}</p>
    </details>
  );
}
