import { Facts, LanguageChoice, RelativeTime, Section, ThemeChoice, useFormats } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { useConsole, usePermits, useSystem, useT } from "../context";
import { settings as texts } from "../messages/settings";
import { Page } from "../shell/Page";

const link = "text-accent-fg underline underline-offset-4";

/** How this screen is, what this console is, and what programs need. */
export function SettingsPage() {
  const t = useT(texts);
  const console = useConsole();
  const system = useSystem();
  const { bytes } = useFormats();
  const mayToken = usePermits("tokens.write");
  return (
    <Page title={t("settings.title")} name={t("settings.title")}>
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <Section title={t("settings.screen")}>
          <div className="flex flex-col gap-6 p-4"><LanguageChoice /><ThemeChoice /></div>
        </Section>
        <Section title={t("settings.programs")}>
          <ul className="flex flex-col gap-3 p-4 text-sm">
            <li><a href="/api/docs" className={link}>{t("settings.docs")}</a></li>
            <li><a href="/api/v1/openapi.json" className={link}>{t("settings.openapi")}</a></li>
            {mayToken && <li><Link to="/people" search={{ tab: "tokens" }} className={link}>{t("settings.tokens")}</Link></li>}
            <li className="pt-2 font-medium">{t("settings.exports")}</li>
            <li><a href={console.api.url("/sites/export")} download className={link}>{t("settings.sites")}</a></li>
            <li><a href={console.api.url("/usage/export")} download className={link}>{t("settings.usage")}</a></li>
          </ul>
        </Section>
        <Section title={t("settings.console")} className="lg:col-span-2">
          {system && (
            <Facts
              items={[
                { label: t("settings.version"), value: system.version },
                { label: t("settings.started"), value: <RelativeTime at={system.started_at} /> },
                { label: t("settings.storage"), value: bytes(system.storage.bytes) },
                { label: t("settings.id"), value: <code className="font-mono text-xs break-all">{system.console_id}</code> },
                { label: t("settings.epoch"), value: <><code className="font-mono text-xs break-all">{system.epoch}</code><span className="mt-1 block text-xs text-fg-dim">{t("settings.epochHint")}</span></> },
                { label: t("settings.link"), value: <code className="font-mono text-xs break-all">{system.hublink_address}</code> },
                { label: t("settings.root"), value: <code className="font-mono text-xs break-all">{system.fleet_root_sha256}</code> },
              ]}
            />
          )}
          <p className="border-t border-line px-4 py-3 text-xs text-fg-dim">{t("settings.limits")}</p>
        </Section>
      </div>
    </Page>
  );
}
