import {
  ClockProvider, ErrorNote, FirstRun, LanguageProvider, Notice, ToastProvider, useCell, useLanguage, type Session,
} from "@obedio/web";
import { RouterProvider } from "@tanstack/react-router";
import { Radar } from "lucide-react";
import { useEffect, useState } from "react";
import { Brand } from "./shell/Brand";
import { ConsoleProvider, SessionProvider, useConsole, useT } from "./context";
import type { FleetConsole } from "./fleet-console";
import { consoleTexts } from "./messages/console";
import { makeRouter } from "./router";
import { ConsoleSignIn } from "./signin/ConsoleSignIn";
import { SignInFailed, signInFailedPath } from "./signin/SignInFailed";

export function App({ fleet }: { fleet: FleetConsole }) {
  return (
    <LanguageProvider language={useLanguage()} texts={consoleTexts}>
      <ClockProvider clock={fleet.clock}>
        <ConsoleProvider value={fleet}>
          <ToastProvider>
            {location.pathname === signInFailedPath ? <SignInFailed /> : <Door />}
          </ToastProvider>
        </ConsoleProvider>
      </ClockProvider>
    </LanguageProvider>
  );
}

/** First run, sign in, or the pages: whichever the session says. */
function Door() {
  const t = useT();
  const fleet = useConsole();
  const state = useCell(fleet.session.state);
  useEffect(() => void fleet.session.restore(), [fleet]);
  switch (state.kind) {
    case "unknown":
      return <main className="skeleton-in"><Notice testId="looking" icon={Radar} title={t("app.looking")} /></main>;
    case "unreachable":
      return (
        <main>
          <h1 className="sr-only">{t("app.unreachable")}</h1>
          <ErrorNote error={state.error} onRetry={() => void fleet.session.restore()} />
        </main>
      );
    case "setup":
      return <FirstRun keeper={fleet.session} brand={<Brand />} />;
    case "out":
      return <ConsoleSignIn over={state.over} />;
    case "in":
      return <Inside session={state.session} fleet={fleet} />;
  }
}

function Inside({ session, fleet }: { session: Session; fleet: FleetConsole }) {
  const [router] = useState(makeRouter);
  useEffect(() => fleet.start(), [fleet]);
  return (
    <SessionProvider value={session}>
        <RouterProvider router={router} />
    </SessionProvider>
  );
}
