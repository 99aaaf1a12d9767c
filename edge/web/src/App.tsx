import {
  ClockProvider, ErrorNote, FirstRun, LanguageProvider, Notice, ToastProvider, useCell, useLanguage, type Session,
} from "@obedio/web";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { Radar } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import { Brand } from "./shell/Brand";
import { HubProvider, SessionProvider, useHub, useT } from "./context";
import type { Hub } from "./hub";
import { hub as texts } from "./messages/hub";
import { makeRouter } from "./router";
import { HubSignIn } from "./signin/HubSignIn";

export function App({ hub }: { hub: Hub }) {
  const timeZone = useCell(hub.system)?.time_zone;
  return (
    <LanguageProvider language={useLanguage()} timeZone={timeZone} texts={texts}>
      <ClockProvider clock={hub.clock}>
        <HubProvider value={hub}>
          <ToastProvider>
            <Door />
          </ToastProvider>
        </HubProvider>
      </ClockProvider>
    </LanguageProvider>
  );
}

/** First run, sign in, or the pages: whichever the session says. */
function Door() {
  const t = useT();
  const hub = useHub();
  const state = useCell(hub.session.state);
  useEffect(() => void hub.session.restore(), [hub]);
  // Who has made the first administrator is shown what else a first run has, once.
  const [first, setFirst] = useState(false);
  useEffect(() => {
    if (state.kind === "setup") setFirst(true);
  }, [state.kind]);
  const welcomed = useCallback(() => setFirst(false), []);
  switch (state.kind) {
    case "unknown":
      return <main className="skeleton-in"><Notice testId="looking" icon={Radar} title={t("app.looking")} /></main>;
    case "unreachable":
      return (
        <main>
          <h1 className="sr-only">{t("app.unreachable")}</h1>
          <ErrorNote error={state.error} onRetry={() => void hub.session.restore()} />
        </main>
      );
    case "setup":
      return <FirstRun keeper={hub.session} brand={<Brand />} />;
    case "out":
      return <HubSignIn over={state.over} />;
    case "in":
      return <Inside session={state.session} hub={hub} welcome={first} onWelcomed={welcomed} />;
  }
}

function Inside({ session, hub, welcome, onWelcomed }: { session: Session; hub: Hub; welcome: boolean; onWelcomed: () => void }) {
  const [router] = useState(makeRouter);
  const [queries] = useState(() => new QueryClient({ defaultOptions: { queries: { retry: false, refetchOnWindowFocus: false } } }));
  useEffect(() => hub.start(), [hub]);
  useEffect(() => {
    if (!welcome) return;
    void router.navigate({ to: "/mqtt/welcome", replace: true });
    onWelcomed();
  }, [router, welcome, onWelcomed]);
  return (
    <SessionProvider value={session}>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </SessionProvider>
  );
}
