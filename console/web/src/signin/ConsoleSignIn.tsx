import { SignIn, type ApiClient } from "@obedio/web";
import { useEffect, useState } from "react";
import { useConsole, useT } from "../context";
import { Brand } from "../shell/Brand";
import { ProviderLink, type Provider } from "./ProviderLink";

/** The identity provider, when there is one; undefined until that is known, and when it cannot be asked. */
export function useProvider(api: ApiClient): Provider | undefined {
  const [provider, setProvider] = useState<Provider>();
  useEffect(() => {
    const asking = new AbortController();
    api.get<Provider>("/sessions/oidc", { signal: asking.signal }).then(
      (told) => setProvider(told),
      () => {
        // A password works without it.
      },
    );
    return () => asking.abort();
  }, [api]);
  return provider?.enabled ? provider : undefined;
}

/** Signing in: at the identity provider when there is one, and with a local account. */
export function ConsoleSignIn({ over }: { over: boolean }) {
  const t = useT();
  const fleet = useConsole();
  const provider = useProvider(fleet.api);
  return (
    <SignIn
      keeper={fleet.session}
      over={over}
      brand={<Brand />}
      before={provider && (
        <div className="mb-5 flex flex-col gap-5">
          <ProviderLink provider={provider} returnTo={location.pathname + location.search} />
          <p className="flex items-center gap-3 text-xs text-fg-dim before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">{t("signin.or")}</p>
        </div>
      )}
    />
  );
}
