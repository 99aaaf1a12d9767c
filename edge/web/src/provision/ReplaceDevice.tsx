import { Button, DataView, Facts, PresenceBadge, Section, Skeletons, useItem, useStatus, useWords, useWork, viewStateOf } from "@obedio/web";
import { QrCode, ScanLine } from "lucide-react";
import { useState } from "react";
import { useCanWrite, useHub, useReach, useT } from "../context";
import { provision } from "../messages/provision";
import { LifeField, defaultLife } from "./LifeField";
import type { Label } from "./label";
import { ScanLabel } from "./ScanLabel";
import { makeToken, type Want } from "./tokens";

/** Other hardware takes a device's place; its room, name and history stay. */
export function ReplaceDevice({ deviceId, onMade }: { deviceId: string; onMade: (tokenId: string) => void }) {
  const t = useT(provision);
  const hub = useHub();
  const words = useWords();
  const canWrite = useCanWrite();
  const work = useWork();
  const [life, setLife] = useState(defaultLife);
  const [scanning, setScanning] = useState(false);
  const device = useItem(hub.devices, deviceId);
  const state = viewStateOf({ status: useStatus(hub.devices), total: device ? 1 : 0, shown: device ? 1 : 0, reach: useReach() });
  const want: Want = { device_id: deviceId, replaces: true, life_s: life };
  const useLabel = async (label: Label) =>
    onMade((await makeToken(hub.api, { ...want, hardware_id: label.hardwareId, key_hash: label.keyHash })).id);
  return (
    <Section title={t("provision.replace")} testId="replace-device">
      <DataView
        state={state.kind === "partial" ? { kind: "live" } : state}
        quietLink
        onRetry={hub.retry}
        empty={{ title: t("device.missing"), detail: t("device.missing.detail", { id: deviceId }) }}
        skeleton={<Skeletons count={1} itemClass="h-28" className="p-4" />}
      >
        {device && (
          <>
            <Facts
              items={[
                { label: t("devices.col.room"), value: device.room_name || device.room },
                { label: t("devices.col.type"), value: words.type(device.type) },
                { label: t("devices.col.device"), value: <span className="normal-nums">{device.name || device.device_id}</span> },
                { label: t("devices.col.state"), value: <PresenceBadge bare state={device.presence.state} /> },
              ]}
            />
            <div className="flex flex-col gap-5 border-t border-line p-4">
              <p className="text-sm text-fg-muted">{t("provision.replace.detail")}</p>
              <div className="sm:max-w-72"><LifeField value={life} onChange={setLife} /></div>
              {work.failure && <p role="status" className="rounded-control bg-bad-soft px-3 py-2 text-sm text-bad">{work.failure}</p>}
              <div className="flex flex-col gap-3 sm:flex-row">
                <Button
                  kind="primary" large icon={QrCode} busy={work.busy} disabled={!canWrite} className="sm:flex-1"
                  onClick={() => void work.run(async () => onMade((await makeToken(hub.api, want)).id))}
                >
                  {t("provision.show")}
                </Button>
                <Button large icon={ScanLine} disabled={!canWrite} onClick={() => setScanning(true)}>{t("provision.scan")}</Button>
              </div>
            </div>
          </>
        )}
      </DataView>
      <ScanLabel open={scanning} onOpenChange={setScanning} onLabel={useLabel} />
    </Section>
  );
}
