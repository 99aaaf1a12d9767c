import {
  Battery, Button, DataView, Facts, Notice, PresenceBadge, RelativeTime, Section, SendCommand, Signal, Skeletons, spanOf, useClock, useItem, useStatus,
  useToast, useWords, viewStateOf,
  suggestedCommands,
} from "@obedio/web";
import { Link, useParams } from "@tanstack/react-router";
import { ChevronLeft, SearchX, Send } from "lucide-react";
import { useState } from "react";
import type { Site, SiteDevice } from "../api/resources";
import { useCanWrite, useConsole, usePermits, useReach, useT } from "../context";
import { useIsOld } from "../fleet/SiteAge";
import { Page } from "../shell/Page";
import type { SiteData } from "../site-data";
import { CommandList } from "./CommandList";
import { SiteGate, Stamp } from "./SitePage";

const hour = 3_600_000;
const ttls = [hour, 24 * hour, 7 * 24 * hour, 14 * 24 * hour];

/** One device of a site, as its hub has last told, and the commands to it. */
export function SiteDevicePage() {
  const t = useT();
  const { siteId, deviceId } = useParams({ from: "/sites/$siteId/devices/$deviceId" });
  const site = useItem(useConsole().sites, siteId);
  return (
    <Page title={site?.name ?? siteId} name={`${deviceId}, ${site?.name ?? siteId}`}>
      <Link to="/sites/$siteId" params={{ siteId }} search={{ tab: "devices" }} className="-mt-2 mb-2 inline-flex min-h-control items-center gap-1 rounded-md pr-2 text-sm text-fg-muted hover:text-fg">
        <ChevronLeft aria-hidden className="size-5" />
        {t("device.back")}
      </Link>
      <SiteGate siteId={siteId}>{(known, data) => <DeviceGate site={known} data={data} deviceId={deviceId} />}</SiteGate>
    </Page>
  );
}

function DeviceGate({ site, data, deviceId }: { site: Site; data: SiteData; deviceId: string }) {
  const t = useT();
  const console = useConsole();
  const device = useItem(data.devices, deviceId);
  const status = useStatus(data.devices);
  const state = viewStateOf({ status, total: device ? 1 : 0, shown: device ? 1 : 0, reach: useReach() });
  if (state.kind === "empty") {
    return <Notice testId="device-missing" icon={SearchX} title={t("device.missing")} detail={t("device.missing.detail", { id: deviceId })} />;
  }
  return (
    <DataView
      state={state.kind === "partial" ? { kind: "live" } : state}
      quietLink
      onRetry={console.retry}
      empty={{ title: t("device.missing") }}
      skeleton={<Skeletons count={3} itemClass="h-32" className="flex flex-col gap-5" />}
    >
      {device && <DeviceView site={site} data={data} device={device} />}
    </DataView>
  );
}

function DeviceView({ site, data, device }: { site: Site; data: SiteData; device: SiteDevice }) {
  const t = useT();
  const words = useWords();
  const console = useConsole();
  const toast = useToast();
  const maySend = usePermits("commands.send");
  const canWrite = useCanWrite();
  const advice = useAdvice(site);
  const old = useIsOld(site);
  const [sending, setSending] = useState(false);
  const name = device.name || device.device_id;
  const unknown = <span className="text-idle">{t("fleet.unknown")}</span>;
  return (
    <div data-testid="device" data-device-id={device.device_id} className="flex flex-col gap-5">
      <div className="flex flex-wrap items-start justify-between gap-4">
        <div className="min-w-0">
          <h2 className="text-xl font-semibold">{name}</h2>
          <p className="mt-0.5 text-sm text-fg-muted">{`${words.type(device.type)} · ${device.room_name || device.room}`}</p>
          <p className="mt-2 flex flex-wrap items-center gap-x-2 gap-y-1 text-sm text-fg-muted">
            <PresenceBadge state={device.presence.state} past={old} />
            <span>{t("device.since")} <RelativeTime at={device.presence.since} bare /></span>
          </p>
          <Stamp site={site} />
        </div>
        {maySend && <Button kind="primary" icon={Send} disabled={!canWrite} onClick={() => setSending(true)}>{t("send.open")}</Button>}
      </div>
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <CommandList siteId={site.site_id} commands={data.commands} deviceId={device.device_id} title={t("commands.device")} emptyDetail={t("commands.device.empty.detail")} />
        <Section title={t("device.identity")}>
          <Facts
            items={[
              { label: t("device.battery"), value: device.battery === undefined ? unknown : <Battery percent={device.battery} /> },
              { label: t("device.signal"), value: device.signal_strength === undefined ? unknown : <Signal value={device.signal_strength} /> },
              { label: t("device.heard"), value: <RelativeTime at={device.last_mqtt_activity} /> },
              { label: t("device.asOf"), value: <RelativeTime at={device.as_of} /> },
              { label: t("device.id"), value: device.device_id },
              { label: t("device.firmware"), value: device.firmware_version ?? unknown },
              { label: t("device.profile"), value: device.security_profile },
              { label: t("device.boot"), value: device.boot_id ? <span className="font-mono text-xs">{device.boot_id}</span> : unknown },
              { label: t("device.added"), value: <RelativeTime at={device.created_at} /> },
            ]}
          />
          <div className="border-t border-line p-4">
            <p className="text-xs text-fg-dim">{t("device.topic")}</p>
            <code className="font-mono text-xs break-all">{device.base_topic}</code>
          </div>
        </Section>
      </div>
      <SendCommand
        open={sending}
        onOpenChange={setSending}
        device={name}
        suggestions={suggestedCommands(device.type)}
        ttls={ttls}
        presetTtl={24 * hour}
        advice={advice}
        send={async (draft, key) => {
          await console.sendCommand(site.site_id, device.device_id, draft, key);
          toast({ tone: "ok", title: t("send.sent"), detail: draft.name });
        }}
      />
    </div>
  );
}

/** "Site last seen 6 h ago; expires in 24 h." */
function useAdvice(site: Site): (ttl: number) => string {
  const t = useT();
  const clock = useClock();
  return (ttl) => {
    const expires = spanOf(ttl);
    if (site.last_contact === undefined) return t("send.siteNever", { ttl: expires });
    if (site.link_state === "online") return t("send.siteOnline", { ttl: expires });
    return t("send.siteSeen", { seen: spanOf(clock.now() - Date.parse(site.last_contact)), ttl: expires });
  };
}
