import { Facts, Section, ThemeChoice } from "@obedio/web";
import { useSystem, useT } from "../context";
import { Page } from "../shell/Page";
import { ClockCard } from "./ClockCard";
import { ConsoleCard } from "./ConsoleCard";
import { SiteCertificate } from "./SiteCertificate";

/** What about this hub is looked at or set once in a while. */
export function SettingsPage() {
  const t = useT();
  return (
    <Page title={t("nav.settings")}>
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <div className="flex flex-col gap-5">
          <ClockCard />
          <ConsoleCard />
        </div>
        <div className="flex flex-col gap-5">
          <SiteCertificate />
          <SiteFacts />
          <Section title={t("settings.screen")}><div className="p-4"><ThemeChoice /></div></Section>
        </div>
      </div>
    </Page>
  );
}

export function SiteFacts({ title }: { title?: string }) {
  const t = useT();
  const system = useSystem();
  if (!system) return null;
  return (
    <Section title={title ?? t("settings.site")} note={t("settings.site.note")}>
      <Facts
        items={[
          { label: t("settings.name"), value: system.site_name },
          { label: t("console.site"), value: <span className="normal-nums">{system.site}</span> },
          { label: t("settings.version"), value: <span className="normal-nums">{system.version}</span> },
        ]}
      />
    </Section>
  );
}
