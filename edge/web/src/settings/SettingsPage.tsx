import { LanguageChoice, Section, ThemeChoice } from "@obedio/web";
import { useT } from "../context";
import { settings } from "../messages/settings";
import { Page } from "../shell/Page";
import { AppCard } from "./AppCard";
import { ClockCard } from "./ClockCard";
import { ConsoleCard } from "./ConsoleCard";
import { SiteCard } from "./SiteCard";
import { SiteCertificate } from "./SiteCertificate";

/** What about this hub is looked at or set once in a while. */
export function SettingsPage() {
  const t = useT(settings);
  return (
    <Page title={t("nav.settings")}>
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-2">
        <div className="flex flex-col gap-5">
          <ClockCard />
          <ConsoleCard />
        </div>
        <div className="flex flex-col gap-5">
          <SiteCertificate />
          <AppCard />
          <SiteCard />
          <Section title={t("settings.screen")}><div className="flex flex-col gap-4 p-4"><LanguageChoice /><ThemeChoice /></div></Section>
        </div>
      </div>
    </Page>
  );
}
