import { AuthFrame } from "@obedio/web";
import { TriangleAlert } from "lucide-react";
import { useConsole, useT } from "../context";
import { Brand } from "../shell/Brand";
import { useProvider } from "./ConsoleSignIn";
import { ProviderLink } from "./ProviderLink";

/** The address to which the console leads a browser after a failed sign-in at the identity provider. */
export const signInFailedPath = "/sign-in-failed";

const reasons = ["begin_again", "refused", "no_role", "unavailable", "no_provider", "not_this_account"] as const;

/** Why it failed, from the address. */
export function reasonIn(search: string): (typeof reasons)[number] | "unknown" {
  const said = new URLSearchParams(search).get("reason");
  return reasons.find((reason) => reason === said) ?? "unknown";
}

/** After a sign-in that did not work: why, and what to do. */
export function SignInFailed() {
  const t = useT();
  const provider = useProvider(useConsole().api);
  const reason = reasonIn(location.search);
  return (
    <AuthFrame brand={<Brand />} title={t("signin.failed")}>
      <div data-testid="sign-in-failed" data-reason={reason} className="flex flex-col gap-5">
        <p className="flex items-start gap-3 text-sm text-fg-muted">
          <TriangleAlert aria-hidden className="mt-0.5 size-5 shrink-0 text-warn" />
          {t(`signin.failed.${reason}`)}
        </p>
        {provider && reason !== "no_provider" && <ProviderLink provider={provider} returnTo="/" label={t("signin.again")} />}
        <a href="/" className="inline-flex min-h-13 items-center justify-center rounded-control border border-edge px-6 text-base font-medium transition-colors duration-150 hover:bg-ink-800">
          {t("signin.local")}
        </a>
      </div>
    </AuthFrame>
  );
}
