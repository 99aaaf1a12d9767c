import { LogIn } from "lucide-react";
import { useT } from "../context";

/** What the console says of the identity provider at which people may sign in. */
export interface Provider {
  enabled: boolean;
  label?: string;
  start_url?: string;
}

/** The way to the identity provider: a page of its own, so a link and no request. */
export function ProviderLink({ provider, returnTo, label }: { provider: Provider; returnTo: string; label?: string }) {
  const t = useT();
  return (
    <a
      data-testid="provider"
      href={`${provider.start_url ?? ""}?${new URLSearchParams({ return_to: returnTo })}`}
      className="inline-flex min-h-13 w-full items-center justify-center gap-2 rounded-control bg-accent px-6 text-center text-base font-medium text-on-accent transition-colors duration-150 hover:bg-accent-strong"
    >
      <LogIn aria-hidden className="size-[1.125em] shrink-0" />
      {label ?? t("signin.with", { label: provider.label ?? "" })}
    </a>
  );
}
