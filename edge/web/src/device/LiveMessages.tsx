import { Banner, Button, Notice, Section, Skeletons, useCell, type Page } from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { CloudOff, Pause, Play, Radio } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import type { Device } from "../api/resources";
import { useHub, useReach, useT } from "../context";
import { device as texts } from "../messages/device";
import { traffic } from "../messages/traffic";
import { ButtonLink } from "../shell/ButtonLink";
import { LiveList } from "../traffic/LiveList";
import { anyTraffic } from "../traffic/live";
import type { Row, TrafficMessage } from "../traffic/message";
import { MessageDialog } from "../traffic/MessageDialog";
import { useLiveTraffic } from "../traffic/useLive";

/** Messages that passed before the page was opened. */
const before = 30;

/** What this device says and is told: the last messages, and those that pass now above them. */
export function LiveMessages({ device }: { device: Device }) {
  const t = useT(texts);
  const words = useT(traffic);
  const hub = useHub();
  const navigate = useNavigate();
  const reach = useReach();
  const live = useLiveTraffic();
  const { device_id: id } = device;
  const rows = useCell(live.rows);
  const link = useCell(live.link);
  const paused = useCell(live.paused);
  const [open, setOpen] = useState<Row>();
  useEffect(() => live.filter({ ...anyTraffic, device: id }), [live, id]);
  const past = useQuery({
    queryKey: ["device-messages", id],
    queryFn: ({ signal }) => hub.api.get<Page<TrafficMessage>>("/traffic/history", { query: { device: id, limit: before }, signal }),
    // Read once the live view has begun, so that nothing falls between the two.
    enabled: link.state === "open",
    staleTime: Infinity,
    gcTime: 0,
  });
  const shown = useMemo(() => {
    const oldest = rows.at(-1)?.at;
    const older = (past.data?.items ?? []).filter((m) => oldest === undefined || m.at < oldest);
    return [...rows, ...older.map((m, i): Row => ({ ...m, n: -i, before: undefined }))];
  }, [rows, past.data]);
  return (
    <Section
      title={t("device.live")}
      note={t("device.live.note")}
      testId="device-messages"
      actions={
        <>
          <Button kind="quiet" icon={paused ? Play : Pause} aria-pressed={paused} onClick={() => live.pause(!paused)}>{t(paused ? "device.live.resume" : "device.live.pause")}</Button>
          <ButtonLink kind="quiet" to="/mqtt/traffic" search={{ device: id }}>{t("device.live.all")}</ButtonLink>
        </>
      }
    >
      {link.state === "waiting" && reach.kind !== "offline" && (
        <div className="p-3"><Banner tone="warn" icon={CloudOff} title={words("traffic.lost")} actions={<Button onClick={live.retry}>{t("view.retry")}</Button>}>{words("traffic.lost.detail")}</Banner></div>
      )}
      {shown.length > 0 ? (
        <LiveList rows={shown} onOpen={setOpen} className="h-80" />
      ) : past.isPending && link.state !== "waiting" ? (
        <Skeletons count={3} itemClass="h-12" className="flex flex-col gap-2 p-4" />
      ) : (
        <Notice testId="device-messages-empty" icon={Radio} title={t("device.live.empty")} detail={t("device.live.empty.detail")} />
      )}
      {open && <MessageDialog row={open} onClose={() => setOpen(undefined)} onOnly={(topic) => void navigate({ to: "/mqtt/traffic", search: { device: id, topic } })} onAgain={undefined} here />}
    </Section>
  );
}
