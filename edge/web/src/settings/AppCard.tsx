import { Button, Pill, Section, type Look } from "@obedio/web";
import { CircleCheck, CircleHelp, CircleSlash, Download, ShieldAlert } from "lucide-react";
import { useT } from "../context";
import { settings } from "../messages/settings";
import { isInstalled, useInstall, useWorkerState, type WorkerState } from "../worker/registration";

const looks: Record<WorkerState, Look> = {
  starting: { icon: CircleHelp, tone: "idle" },
  ready: { icon: CircleCheck, tone: "ok" },
  plain: { icon: CircleSlash, tone: "idle" },
  untrusted: { icon: ShieldAlert, tone: "warn" },
  none: { icon: CircleSlash, tone: "idle" },
  failed: { icon: ShieldAlert, tone: "warn" },
};

/** Whether this page can be an app that opens without the hub, and what is in the way. */
export function AppCard() {
  const t = useT(settings);
  const state = useWorkerState();
  const install = useInstall();
  const look = looks[state];
  return (
    <Section title={t("pwa.title")} testId="app-card">
      <div data-worker={state} className="flex flex-col items-start gap-3 p-4">
        <Pill tone={look.tone} icon={look.icon} wraps>{t(`pwa.${state}`)}</Pill>
        {state !== "starting" && <p className="text-sm text-fg-muted">{t(`pwa.${state}.detail`)}</p>}
        {state === "ready" && (isInstalled() ? (
          <p className="text-sm text-fg-muted">{t("pwa.installed")}</p>
        ) : install ? (
          <Button kind="primary" icon={Download} onClick={install}>{t("pwa.install")}</Button>
        ) : (
          <p className="text-sm text-fg-muted">{t("pwa.how")}</p>
        ))}
      </div>
    </Section>
  );
}
