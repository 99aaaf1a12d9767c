import {
  Battery, RelativeTime, Signal, classes, lookOf, lowBattery, presenceLook, toneText, typeIcon, useItem, useWords,
} from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { BatteryWarning, BellRing } from "lucide-react";
import { memo } from "react";
import type { Device } from "../api/resources";
import { useHub, useT } from "../context";
import { useIsCalling } from "./calling";
import { ChooseBox } from "./ChooseBox";
import { useChosen, useSelection } from "./selection";

export const cardHeight = 116;

/** One device at a glance; the whole card leads to its page. */
export const DeviceCard = memo(function DeviceCard({ id }: { id: string }) {
  const device = useItem(useHub().devices, id);
  return device ? <Body device={device} /> : null;
});

function Body({ device }: { device: Device }) {
  const t = useT();
  const words = useWords();
  const calling = useIsCalling(device.device_id);
  const selection = useSelection();
  const chosen = useChosen(selection, device.device_id);
  const { state, since } = device.presence;
  const low = device.battery !== undefined && device.battery < lowBattery;
  const away = state === "late" || state === "lost" || state === "disconnected";
  const Type = typeIcon(device.type);
  const look = calling
    ? { icon: BellRing, tone: "accent" as const, word: t("devices.calling") }
    : low && (state === "ready" || state === "sleeping")
      ? { icon: BatteryWarning, tone: "warn" as const, word: device.battery_days_left === undefined ? t("devices.lowBattery") : t("devices.daysLeft", { n: device.battery_days_left }) }
      : { ...lookOf(presenceLook, state), word: words.presence(state) };
  return (
    <div className="relative h-full">
      {selection && <span className="absolute top-1.5 left-1.5 z-10"><ChooseBox id={device.device_id} name={device.name || device.device_id} /></span>}
      <Link
        to="/mqtt/devices/$deviceId"
        params={{ deviceId: device.device_id }}
        data-device-id={device.device_id}
        data-state={state}
        className={classes(
          "reveals-time flex h-full flex-col justify-between rounded-card border bg-ink-850 p-4 transition-colors duration-150 hover:bg-ink-800",
          chosen || calling ? "border-accent" : look.tone === "bad" ? "border-bad/60" : look.tone === "warn" ? "border-warn/60" : "border-line",
          (state === "disconnected" || state === "never_seen" || state === "retired") && !calling && "border-dashed",
        )}
      >
        <span className={classes("flex items-center gap-2.5", selection && "pl-7")}>
          {!selection && <Type aria-hidden className="size-4.5 shrink-0 text-fg-muted" />}
          <span className="min-w-0 flex-1 truncate text-base font-semibold">{device.room_name || device.room}</span>
          <look.icon aria-hidden className={classes("size-5 shrink-0", toneText[look.tone])} />
        </span>
        <span className="flex min-w-0 text-sm text-fg-muted">
          <span className="truncate">{device.name || device.device_id}</span>
          <span className="shrink-0 whitespace-pre">{" · "}</span>
          <span className={classes("shrink-0", look.tone !== "ok" && toneText[look.tone])}>
            {look.word}
            {away && !calling && <>{" "}<RelativeTime at={since} bare focusable={false} /></>}
          </span>
        </span>
        <span className="flex items-center justify-between gap-3 text-sm text-fg-muted">
          <span className="flex items-center gap-4">
            <Battery percent={device.battery} />
            <Signal value={device.signal_strength} />
          </span>
          <RelativeTime at={device.last_mqtt_activity ?? (state === "never_seen" ? undefined : device.presence.as_of)} focusable={false} className="text-fg-dim" />
        </span>
      </Link>
    </div>
  );
}
