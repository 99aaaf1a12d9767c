import { Section } from "@obedio/web";
import type { ReactNode } from "react";
import type { Device } from "../api/resources";
import { useT } from "../context";

/** Where the device speaks and listens on the broker. */
export function Topics({ device }: { device: Device }) {
  const t = useT();
  const subscriptions = device.mqtt_subscriptions ?? [];
  const none = <span className="text-fg-dim">{t("device.topics.none")}</span>;
  return (
    <Section title={t("device.topics")}>
      <dl className="flex flex-col gap-4 p-4">
        <Row label={t("device.topics.base")}><Topic>{device.base_topic}</Topic></Row>
        <Row label={t("device.topics.subscriptions")}>
          {subscriptions.length > 0 ? subscriptions.map((s) => <Topic key={s}>{s}</Topic>) : none}
        </Row>
        <Row label={t("device.topics.will")}>
          {device.last_will ? <><Topic>{device.last_will.topic}</Topic><Topic>{device.last_will.message}</Topic></> : none}
        </Row>
      </dl>
    </Section>
  );
}

function Row({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div>
      <dt className="text-xs text-fg-dim">{label}</dt>
      <dd className="mt-1 flex flex-col items-start gap-1 text-sm">{children}</dd>
    </div>
  );
}

function Topic({ children }: { children: string }) {
  return <code className="max-w-full rounded-md bg-ink-800 px-2 py-1 font-mono text-xs break-all">{children}</code>;
}
