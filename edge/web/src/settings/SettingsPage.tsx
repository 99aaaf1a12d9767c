import { LanguageChoice, Section, Tab, Tabs, ThemeChoice } from "@obedio/web";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { usePermits, useT } from "../context";
import { keeping } from "../messages/keeping";
import { settings } from "../messages/settings";
import { Page } from "../shell/Page";
import { AppCard } from "./AppCard";
import { CallsTab } from "./CallsTab";
import { ClockCard } from "./ClockCard";
import { ConsoleCard } from "./ConsoleCard";
import { NotificationsTab } from "./NotificationsTab";
import { SiteCard } from "./SiteCard";
import { SiteCertificate } from "./SiteCertificate";
import { StorageTab } from "./StorageTab";

/** What about this hub is looked at or set once in a while. */
export function SettingsPage() {
  const t = useT(keeping);
  const { tab = "general" } = useSearch({ from: "/mqtt/settings" });
  const navigate = useNavigate({ from: "/mqtt/settings" });
  const mayCalls = usePermits("requests.read");
  const mayAlerts = usePermits("alerts.read");
  return (
    <Page title={t("nav.settings")}>
      <Tabs
        label={t("nav.settings")}
        value={tab}
        onChange={(next) => void navigate({ search: next === "general" ? {} : { tab: next }, replace: true })}
        tabs={[
          { value: "general" as const, label: t("settings.tab.general") },
          ...(mayCalls ? [{ value: "calls" as const, label: t("settings.tab.calls") }] : []),
          ...(mayAlerts ? [{ value: "notifications" as const, label: t("settings.tab.notifications") }] : []),
          { value: "storage" as const, label: t("settings.tab.storage") },
        ]}
      >
        <Tab value="general"><General /></Tab>
        <Tab value="calls">{mayCalls && <CallsTab />}</Tab>
        <Tab value="notifications">{mayAlerts && <NotificationsTab />}</Tab>
        <Tab value="storage"><StorageTab /></Tab>
      </Tabs>
    </Page>
  );
}

function General() {
  const t = useT(settings);
  return (
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
  );
}
