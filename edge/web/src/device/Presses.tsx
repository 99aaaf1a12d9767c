import { Button, ErrorNote, Notice, Pill, RelativeTime, Section, Skeletons, lookOf, priorityLook, spanOf, useDerived, type ApiError, type Collection } from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { CircleDot, History } from "lucide-react";
import { useCallback } from "react";
import type { CallRequest, Device, Press } from "../api/resources";
import { useHub, useT } from "../context";

/**
 * The last presses. They are read once; when a request shows that the button
 * was pressed since, the page offers to read them again instead of moving.
 */
export function Presses({ device }: { device: Device }) {
  const t = useT();
  const hub = useHub();
  const query = useQuery<Press[], ApiError>({
    queryKey: ["presses", device.device_id],
    queryFn: async ({ signal }) => (await hub.presses(device.device_id, signal)).items,
  });
  const latest = useDerived(hub.requests, useCallback((r: Collection<CallRequest>) => lastPressOf(r, device.device_id), [device.device_id]));
  const shown = query.data?.[0]?.received_at ?? "";
  const fresh = query.isSuccess && latest > shown;
  return (
    <Section
      title={t("device.presses")}
      testId="presses"
      actions={fresh && <Button kind="quiet" icon={CircleDot} busy={query.isFetching} onClick={() => void query.refetch()}>{t("device.presses.new")}</Button>}
    >
      {query.isPending ? (
        <Skeletons count={3} itemClass="h-9" className="flex flex-col gap-2 p-4" />
      ) : query.isError ? (
        <ErrorNote error={query.error} onRetry={() => void query.refetch()} />
      ) : query.data.length === 0 ? (
        <Notice testId="presses-empty" icon={CircleDot} title={t("device.presses.empty")} detail={t("device.presses.empty.detail")} />
      ) : (
        <ul className="divide-y divide-line">
          {query.data.map((p) => <PressRow key={`${p.boot_id}-${p.sequence_id}`} press={p} />)}
        </ul>
      )}
    </Section>
  );
}

function PressRow({ press }: { press: Press }) {
  const t = useT();
  const look = lookOf(priorityLook, press.priority);
  return (
    <li className="flex min-h-11 flex-wrap items-center justify-between gap-x-4 gap-y-1 px-4 py-2 text-sm">
      <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="font-medium">{t("device.press", { type: press.press_type })}</span>
        <span className="text-xs text-fg-dim">{t("device.press.seq", { n: press.sequence_id })}</span>
        {press.priority !== "normal" && <Pill tone={look.tone} icon={look.icon}>{t(`priority.${press.priority}`)}</Pill>}
        {press.late_by_ms !== undefined && press.late_by_ms > 0 && (
          <span className="inline-flex items-center gap-1.5 text-xs text-warn"><History aria-hidden className="size-4" />{t("calls.late", { span: spanOf(press.late_by_ms) })}</span>
        )}
      </span>
      <RelativeTime at={press.received_at} className="text-fg-dim" />
    </li>
  );
}

function lastPressOf(requests: Collection<CallRequest>, deviceId: string): string {
  let latest = "";
  for (const r of requests.values()) {
    if (r.device_id === deviceId && r.last_press_at > latest) latest = r.last_press_at;
  }
  return latest;
}
