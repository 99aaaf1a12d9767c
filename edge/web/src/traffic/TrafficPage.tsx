import { Banner, Button, DataView, Fold, Notice, Pill, RelativeTime, Section, Skeletons, saveFile, useCell, useClock, useFormats } from "@obedio/web";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { CircleDot, CloudOff, Download, Eraser, Pause, Play, Radio, Send, TriangleAlert } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { usePermits, useReach, useSystem, useT } from "../context";
import { traffic } from "../messages/traffic";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { FilterForm, useDelayed } from "./FilterForm";
import { LiveList } from "./LiveList";
import { anyTraffic, keepRows, type LiveTraffic, type TrafficFilter } from "./live";
import { MessageDialog } from "./MessageDialog";
import type { Row } from "./message";
import { PublishDialog, type Draft } from "./PublishDialog";
import { TopicList } from "./TopicList";
import { TrafficNav } from "./TrafficNav";
import { useLiveTraffic } from "./useLive";

/** What passes the broker at this moment. */
export function TrafficPage() {
  const t = useT(traffic);
  return (
    <Page title={t("traffic.title")}>
      <TrafficNav />
      <Guard needs="traffic.read"><Live /></Guard>
    </Page>
  );
}

/** The filter stands in the address, so that it can be kept and shared. */
function useFilter(): [TrafficFilter, (filter: TrafficFilter) => void] {
  const search = useSearch({ from: "/mqtt/traffic" });
  const navigate = useNavigate({ from: "/mqtt/traffic" });
  const filter = useMemo<TrafficFilter>(() => ({ ...anyTraffic, ...search }), [search]);
  const change = (next: TrafficFilter) => {
    const { topic, device, direction, contains } = next;
    void navigate({
      search: { ...(topic ? { topic } : {}), ...(device ? { device } : {}), ...(direction ? { direction } : {}), ...(contains ? { contains } : {}) },
      replace: true, resetScroll: false,
    });
  };
  return [filter, change];
}

function Live() {
  const t = useT(traffic);
  const live = useLiveTraffic();
  const [filter, setFilter] = useFilter();
  const site = useSystem()?.site;
  const mayPublish = usePermits("traffic.publish");
  const [open, setOpen] = useState<Row>();
  const [draft, setDraft] = useState<Draft>();
  // While somebody types, the hub is not asked at each letter.
  const settled = useDelayed(filter);
  useEffect(() => live.filter(settled), [live, settled]);
  const only = (topic: string) => setFilter({ ...filter, topic });
  return (
    <div data-testid="traffic" className="flex flex-col gap-5">
      <FilterForm filter={filter} onChange={setFilter} />
      <Fault live={live} />
      <Controls live={live} onPublish={mayPublish ? () => setDraft({ topic: filter.topic.includes("+") || filter.topic.includes("#") ? `obedio/${site ?? ""}/` : filter.topic, payload: "" }) : undefined} />
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-[19rem_minmax(0,1fr)]">
        <Section title={t("traffic.tree")} className="max-lg:hidden" testId="topic-tree"><TopicList live={live} onOnly={only} /></Section>
        <Fold title={t("traffic.tree")} className="lg:hidden"><TopicList live={live} onOnly={only} /></Fold>
        <Messages live={live} filter={settled} onOpen={setOpen} onClear={() => setFilter(anyTraffic)} />
      </div>
      {open && (
        <MessageDialog
          row={open}
          onClose={() => setOpen(undefined)}
          onOnly={(topic) => {
            only(topic);
            setOpen(undefined);
          }}
          onAgain={mayPublish ? (next) => {
            setOpen(undefined);
            setDraft(next);
          } : undefined}
        />
      )}
      {draft && <PublishDialog draft={draft} onClose={() => setDraft(undefined)} />}
    </div>
  );
}

function Fault({ live }: { live: LiveTraffic }) {
  const t = useT(traffic);
  const fault = useCell(live.fault);
  return fault === undefined ? null : <Banner testId="traffic-fault" tone="warn" icon={TriangleAlert} title={t("traffic.filter.wrong")}>{fault}</Banner>;
}

/** What is going on, and what can be done about it. */
function Controls({ live, onPublish }: { live: LiveTraffic; onPublish: (() => void) | undefined }) {
  const t = useT(traffic);
  const paused = useCell(live.paused);
  const { rate, seen, dropped } = useCell(live.numbers);
  const { number } = useFormats();
  const recorder = useCell(live.recorder);
  const save = () => {
    const done = live.stopRecording();
    if (done) saveFile(done.name, "application/x-ndjson", done.text());
  };
  const shown = rate >= 10 || rate === 0 ? Math.round(rate) : Math.round(rate * 10) / 10;
  const figures = [
    { id: "rate", label: t("traffic.rate"), value: number(shown) },
    { id: "seen", label: t("traffic.seen"), value: number(seen) },
    { id: "dropped", label: t("traffic.dropped"), value: number(dropped), warn: dropped > 0 },
  ];
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        <dl className="flex flex-wrap items-center gap-x-6 gap-y-2">
          <div><dt className="sr-only">{t("traffic.link")}</dt><dd><LinkPill live={live} /></dd></div>
          {figures.map(({ id, label, value, warn }) => (
            <div key={id} data-testid={`traffic-${id}`} className="flex items-baseline gap-2">
              <dt className="text-xs text-fg-dim">{label}</dt>
              <dd className={warn ? "text-base font-semibold text-warn tabular-nums" : "text-base font-semibold tabular-nums"}>{value}</dd>
            </div>
          ))}
        </dl>
        <div className="flex flex-wrap gap-3">
          <Button icon={paused ? Play : Pause} aria-pressed={paused} onClick={() => live.pause(!paused)}>{t(paused ? "traffic.resume" : "traffic.pause")}</Button>
          <Button icon={Eraser} onClick={() => live.clear()}>{t("traffic.clear")}</Button>
          {recorder ? (
            <Button kind="primary" icon={Download} onClick={save}>{t("traffic.record.stop")}</Button>
          ) : (
            <Button icon={CircleDot} onClick={() => live.record()}>{t("traffic.record")}</Button>
          )}
          {onPublish && <Button icon={Send} onClick={onPublish}>{t("traffic.publish")}</Button>}
        </div>
      </div>
      {/* The count grows with what is seen, which this reads each second. */}
      {recorder && <p role="status" className="text-sm text-fg-muted">{t(recorder.full ? "traffic.recording.full" : "traffic.recording", { n: number(recorder.messages) })}</p>}
      {dropped > 0 && <p className="text-xs text-fg-dim">{t("traffic.dropped.detail")}</p>}
    </div>
  );
}

function LinkPill({ live }: { live: LiveTraffic }) {
  const t = useT(traffic);
  const { state } = useCell(live.link);
  const paused = useCell(live.paused);
  if (state === "waiting") return <Pill tone="warn" icon={CloudOff}>{t("traffic.lost")}</Pill>;
  if (state === "connecting") return <Pill tone="idle" icon={Radio}>{t("traffic.connecting")}</Pill>;
  return paused ? <Pill tone="warn" icon={Pause}>{t("traffic.paused")}</Pill> : <Pill tone="ok" icon={Radio}>{t("traffic.watching")}</Pill>;
}

function Messages({ live, filter, onOpen, onClear }: { live: LiveTraffic; filter: TrafficFilter; onOpen: (row: Row) => void; onClear: () => void }) {
  const t = useT(traffic);
  const clock = useClock();
  const { number } = useFormats();
  const rows = useCell(live.rows);
  const link = useCell(live.link);
  const paused = useCell(live.paused);
  const reach = useReach();
  const filtered = Object.values(filter).some((v) => v !== "");
  return (
    <Section title={t("traffic.list")} note={rows.length >= keepRows ? t("traffic.kept", { n: number(keepRows) }) : undefined} testId="traffic-messages">
      {link.state === "waiting" && reach.kind !== "offline" && (
        <div className="p-3">
          <Banner
            testId="traffic-lost" tone="warn" icon={CloudOff}
            title={<>{t("traffic.lost")} {t("traffic.lost.since")} <RelativeTime at={clock.at(link.since)} bare /></>}
            actions={<Button onClick={live.retry}>{t("view.retry")}</Button>}
          >
            {t("traffic.lost.detail")}
          </Banner>
        </div>
      )}
      {rows.length > 0 ? (
        <LiveList rows={rows} onOpen={onOpen} />
      ) : paused ? (
        <Notice testId="traffic-paused" icon={Pause} title={t("traffic.paused")} detail={t("traffic.paused.detail")} />
      ) : link.state === "connecting" ? (
        <DataView state={{ kind: "loading" }} empty={{ title: "" }} skeleton={<Skeletons count={4} itemClass="h-14" className="flex flex-col gap-2 p-4" />}>{null}</DataView>
      ) : filtered ? (
        <Notice testId="traffic-filtered" icon={Radio} title={t("traffic.filtered")} detail={t("traffic.filtered.detail")}>
          <Button onClick={onClear}>{t("traffic.filter.clear")}</Button>
        </Notice>
      ) : (
        <Notice testId="traffic-empty" icon={Radio} title={t("traffic.empty")} detail={t("traffic.empty.detail")} />
      )}
    </Section>
  );
}
