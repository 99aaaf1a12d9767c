import { BellRing, QrCode } from "lucide-react";
import { useT } from "../context";
import { settings } from "../messages/settings";
import { ClockCard } from "../settings/ClockCard";
import { ConsoleCard } from "../settings/ConsoleCard";
import { SiteCard } from "../settings/SiteCard";
import { SiteCertificate } from "../settings/SiteCertificate";
import { ButtonLink } from "../shell/ButtonLink";
import { Page } from "../shell/Page";

/** After the first administrator has been made: what is worth a look before the first device. */
export function WelcomePage() {
  const t = useT(settings);
  return (
    <Page title={t("welcome.title")}>
      <div data-testid="welcome" className="mx-auto flex max-w-3xl flex-col gap-6">
        <p className="text-base text-fg-muted">{t("welcome.lead")}</p>
        <ol className="flex flex-col gap-6">
          <li><ClockCard title={t("welcome.clock")} /></li>
          <li><SiteCertificate title={t("welcome.certificate")} /></li>
          <li><SiteCard title={t("welcome.site")} /></li>
          <li><ConsoleCard title={t("welcome.console")} /></li>
        </ol>
        <div className="flex flex-col gap-3 sm:flex-row">
          <ButtonLink kind="primary" large icon={QrCode} to="/mqtt/devices/provision">{t("welcome.add")}</ButtonLink>
          <ButtonLink large icon={BellRing} to="/mqtt/dashboard">{t("page.missing.home")}</ButtonLink>
        </div>
      </div>
    </Page>
  );
}
