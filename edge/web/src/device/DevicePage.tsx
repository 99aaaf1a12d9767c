import {
  Battery, Button, DataView, Facts, Notice, PresenceBadge, RelativeTime, Section, SendCommand, Signal, Skeletons, spanOf, useItem, useStatus,
  useToast, useWords, viewStateOf,
  suggestedCommands,
} from "@obedio/web";
import { Link, useParams } from "@tanstack/react-router";
import { Archive, Pencil, Replace, SearchX, Send } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { Device } from "../api/resources";
import { CallCard } from "../calls/CallCard";
import { useOpenRequests } from "../calls/order";
import { useCanWrite, useHub, usePermits, useReach, useT } from "../context";
import { device as texts } from "../messages/device";
import { TestPanel } from "../security/TestPanel";
import { BackLink } from "../shell/BackLink";
import { ButtonLink } from "../shell/ButtonLink";
import { Page } from "../shell/Page";
import { Access } from "./Access";
import { Commands, useCommands } from "./Commands";
import { Configuration } from "./Configuration";
import { EditDevice } from "./EditDevice";
import { LiveMessages } from "./LiveMessages";
import { Presses } from "./Presses";
import { Retire } from "./Retire";
import { Topics } from "./Topics";
import { Trend } from "./Trend";

const ttls = [30_000, 120_000, 600_000, 3_600_000];

export function DevicePage() {
  const t = useT();
  const hub = useHub();
  const { deviceId } = useParams({ from: "/mqtt/devices/$deviceId" });
  const device = useItem(hub.devices, deviceId);
  const status = useStatus(hub.devices);
  const reach = useReach();
  const state = viewStateOf({ status, total: device ? 1 : 0, shown: device ? 1 : 0, reach });
  return (
    <Page title={device ? device.room_name || device.room : t("devices.title")}>
      <BackLink to="/mqtt/devices">{t("device.back")}</BackLink>
      {state.kind === "empty" ? (
        <Notice testId="device-missing" icon={SearchX} title={t("device.missing")} detail={t("device.missing.detail", { id: deviceId })} />
      ) : (
        <DataView
          // One device is whole as soon as it is here, whatever became of the list.
          state={state.kind === "partial" ? { kind: "live" } : state}
          quietLink
          onRetry={hub.retry}
          empty={{ title: t("device.missing") }}
          skeleton={<Skeletons count={4} itemClass="h-40" className="grid gap-5 lg:grid-cols-2" />}
        >
          {device && <DeviceView key={deviceId} device={device} />}
        </DataView>
      )}
    </Page>
  );
}

function DeviceView({ device }: { device: Device }) {
  const t = useT(texts);
  const words = useWords();
  const hub = useHub();
  const toast = useToast();
  const canWrite = useCanWrite();
  const maySend = usePermits("commands.send");
  const mayCommands = usePermits("commands.read");
  const mayProvision = usePermits("provision.write");
  const mayChange = usePermits("devices.write");
  const mayTraffic = usePermits("traffic.read");
  const maySecure = usePermits("security.read");
  const [open, setOpen] = useState<"send" | "edit" | "retire">();
  const commands = useCommands(device.device_id);
  const calls = useOpenRequests().filter((r) => r.device_id === device.device_id);
  const close = () => setOpen(undefined);
  return (
    <div data-testid="device" data-device-id={device.device_id} className="flex flex-col gap-5">
      <div className="flex flex-wrap items-start justify-between gap-4">
        <div className="min-w-0">
          <h2 className="text-xl font-semibold">{device.name || device.device_id}</h2>
          <p className="mt-0.5 text-sm text-fg-muted">{device.name ? `${words.type(device.type)} · ${device.device_id}` : words.type(device.type)}</p>
          <p className="mt-2 flex flex-wrap items-center gap-x-2 gap-y-1 text-sm text-fg-muted">
            <PresenceBadge state={device.presence.state} />
            <span>{t("device.since")} <RelativeTime at={device.presence.since} bare /></span>
            <span>· {t("view.asOf")} <RelativeTime at={device.presence.as_of} /></span>
          </p>
        </div>
        <div className="flex flex-wrap gap-3">
          {mayChange && <Button icon={Pencil} disabled={!canWrite} onClick={() => setOpen("edit")}>{t("device.edit")}</Button>}
          {mayProvision && <ButtonLink icon={Replace} to="/mqtt/devices/provision" search={{ replace: device.device_id }}>{t("device.replace")}</ButtonLink>}
          {maySend && <Button kind="primary" icon={Send} onClick={() => setOpen("send")}>{t("send.open")}</Button>}
        </div>
      </div>
      {calls.length > 0 && (
        <section aria-label={t("device.calls")} className="grid gap-5 [grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr))]">
          {calls.map((r) => <CallCard key={r.request_id} id={r.request_id} />)}
        </section>
      )}
      <Measures device={device} />
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-2">
        <div className="flex min-w-0 flex-col gap-5">
          {mayTraffic && <Trend device={device} />}
          {device.type === "button" && <Presses device={device} />}
          {mayCommands && commands && <Commands commands={commands} />}
          {mayTraffic && <LiveMessages device={device} />}
        </div>
        <div className="flex min-w-0 flex-col gap-5">
          {commands && <Configuration device={device} commands={commands} />}
          {maySecure && <Access device={device} />}
          {maySecure && <TestPanel key={device.base_topic} fixed client={device.device_id} action="publish" topic={`${device.base_topic}/status`} />}
          <Topics device={device} />
          <Identity device={device} />
        </div>
      </div>
      {mayChange && (
        <div className="flex justify-end">
          <Button kind="danger" icon={Archive} disabled={!canWrite} onClick={() => setOpen("retire")}>{t("device.retire")}</Button>
        </div>
      )}
      {open === "edit" && <EditDevice device={device} onClose={close} />}
      {open === "retire" && <Retire device={device} onClose={close} />}
      <SendCommand
        open={open === "send"}
        onOpenChange={(on) => setOpen(on ? "send" : undefined)}
        device={device.name || device.device_id}
        suggestions={suggestedCommands(device.type)}
        ttls={ttls}
        presetTtl={30_000}
        send={async (draft, key) => {
          const queued = (await hub.sendCommand(device, draft, key)) === "queued";
          toast({ tone: queued ? "warn" : "ok", title: t(queued ? "queue.queued.command" : "send.sent"), detail: draft.name });
        }}
      />
    </div>
  );
}

function Measures({ device }: { device: Device }) {
  const t = useT(texts);
  const unknown = <span className="text-fg-dim">{t("device.unknown")}</span>;
  const days = device.battery_days_left;
  const tiles: { label: string; value: ReactNode; more?: ReactNode }[] = [
    { label: t("device.battery"), value: device.battery === undefined ? unknown : <Battery percent={device.battery} className="[&_svg]:size-6" />,
      more: days !== undefined && <span className={days < 7 ? "text-warn" : undefined}>{t("device.forecast", { n: days })}</span> },
    { label: t("device.signal"), value: device.signal_strength === undefined ? unknown : <Signal value={device.signal_strength} className="[&_svg]:size-6" />,
      more: device.via && <Link to="/mqtt/devices/$deviceId" params={{ deviceId: device.via }} className="text-accent-fg underline underline-offset-4">{t("device.via", { id: device.via })}</Link> },
    { label: t("device.heard"), value: <RelativeTime at={device.last_mqtt_activity} /> },
    { label: t("device.uptime"), value: device.uptime_s === undefined ? unknown : t("time.span", { span: spanOf(device.uptime_s * 1000) }) },
  ];
  return (
    <dl className="grid grid-cols-2 gap-3 sm:gap-4 lg:grid-cols-4">
      {tiles.map(({ label, value, more }) => (
        <div key={label} className="rounded-card border border-line bg-ink-850 px-4 py-3">
          <dt className="text-xs text-fg-dim">{label}</dt>
          <dd className="mt-1 flex flex-wrap items-baseline justify-between gap-x-3 text-lg font-semibold">{value}{more && <span className="text-xs font-normal text-fg-muted">{more}</span>}</dd>
        </div>
      ))}
    </dl>
  );
}

function Identity({ device }: { device: Device }) {
  const t = useT(texts);
  return (
    <Section title={t("device.identity")}>
      <Facts
        items={[
          { label: t("device.id"), value: <span className="normal-nums">{device.device_id}</span> },
          { label: t("device.client"), value: <span className="normal-nums">{device.mqtt_client_id}</span> },
          { label: t("device.profile"), value: device.security_profile },
          { label: t("device.firmware"), value: device.firmware_version ?? t("device.unknown") },
          { label: t("device.boot"), value: <span className="font-mono text-xs">{device.boot_id ?? t("device.unknown")}</span> },
          ...(device.legacy_device_id === undefined ? [] : [{ label: t("device.legacy"), value: String(device.legacy_device_id) }]),
          ...(device.type === "button" ? [{ label: t("device.press.profile"), value: device.press_profile || t("device.edit.press.site") }] : []),
          ...(device.tags.length > 0 ? [{ label: t("device.tags"), value: device.tags.join(", ") }] : []),
          ...Object.entries(device.metadata).map(([label, value]) => ({ label, value })),
          { label: t("device.created"), value: <RelativeTime at={device.created_at} /> },
          { label: t("device.changed"), value: <RelativeTime at={device.updated_at} /> },
        ]}
      />
    </Section>
  );
}
