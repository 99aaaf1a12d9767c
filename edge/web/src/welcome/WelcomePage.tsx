import { BellRing, QrCode } from "lucide-react";
import type { ReactNode } from "react";
import { useT } from "../context";
import { ClockCard } from "../settings/ClockCard";
import { ConsoleCard } from "../settings/ConsoleCard";
import { SiteFacts } from "../settings/SettingsPage";
import { SiteCertificate } from "../settings/SiteCertificate";
import { ButtonLink } from "../shell/ButtonLink";
import { Page } from "../shell/Page";

/** After the first administrator has been made: what is worth a look before the first device. */
export function WelcomePage() {
  const t = useT();
  return (
    <Page title={t("welcome.title")}>
      <div data-testid="welcome" className="mx-auto flex max-w-3xl flex-col gap-6">
        <p className="text-base text-fg-muted">{t("welcome.lead")}</p>
        <ol className="flex flex-col gap-6">
          <Step n={1} title={t("welcome.clock")}><ClockCard /></Step>
          <Step n={2} title={t("welcome.certificate")}><SiteCertificate /></Step>
          <Step n={3} title={t("welcome.site")}><SiteFacts /></Step>
          <Step n={4} title={t("welcome.console")}><ConsoleCard /></Step>
        </ol>
        <div className="flex flex-col gap-3 sm:flex-row">
          <ButtonLink kind="primary" large icon={QrCode} to="/mqtt/devices/provision">{t("welcome.add")}</ButtonLink>
          <ButtonLink large icon={BellRing} to="/mqtt/dashboard">{t("page.missing.home")}</ButtonLink>
        </div>
      </div>
    </Page>
  );
}

function Step({ n, title, children }: { n: number; title: string; children: ReactNode }) {
  return (
    <li className="flex flex-col gap-2">
      <h2 className="flex items-center gap-3 text-base font-semibold">
        <span aria-hidden className="inline-flex size-8 shrink-0 items-center justify-center rounded-full bg-accent-soft text-sm text-accent-fg tabular-nums">{n}</span>
        {title}
      </h2>
      {children}
    </li>
  );
}
