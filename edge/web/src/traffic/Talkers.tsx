import { Chip, IconButton, Section, useFormats, useVersion, useWords } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { ChartLine } from "lucide-react";
import type { ReactNode } from "react";
import { useHub, useT } from "../context";
import { analytics } from "../messages/analytics";
import type { Metrics, Series } from "./buckets";
import { hubClient } from "./message";

export type TalkerGroup = "device" | "type" | "room";
const groups: readonly TalkerGroup[] = ["device", "type", "room"];
/** The hub's name for all that is beyond the top. */
const others = "~others";

/** What people call a device, a type or a room. */
export function useTalkerName(): (key: string, by: TalkerGroup) => string {
  const t = useT(analytics);
  const { devices } = useHub();
  const typeName = useWords().type;
  useVersion(devices);
  return (key, by) => {
    if (key === others) return t("analytics.others");
    if (key === "") return t("analytics.nobody");
    if (key === hubClient) return t("analytics.hub");
    if (by === "type") return typeName(key);
    if (by === "room") return [...devices.values()].find((d) => d.room === key)?.room_name ?? key;
    return devices.get(key)?.name || key;
  };
}

export interface TalkersProps {
  metrics: Metrics;
  by: TalkerGroup;
  onBy: (by: TalkerGroup) => void;
  /** The one that the chart shows. */
  chosen: string | undefined;
  onChoose: (key: string | undefined) => void;
}

/** Who has the most messages in the time shown; a bar shows how much beside the first. */
export function Talkers({ metrics, by, onBy, chosen, onChoose }: TalkersProps) {
  const t = useT(analytics);
  const named = metrics.series.filter((s) => s.key !== others);
  const rest = metrics.series.find((s) => s.key === others);
  const most = Math.max(1, ...named.map(messages));
  return (
    <Section
      testId="talkers"
      title={t("analytics.top")}
      actions={
        <div role="group" aria-label={t("analytics.by")} className="flex flex-wrap gap-2">
          {groups.map((g) => <Chip key={g} pressed={by === g} onPress={() => onBy(g)} label={t(`analytics.by.${g}`)} />)}
          {chosen !== undefined && <Chip pressed={false} onPress={() => onChoose(undefined)} label={t("analytics.showAll")} />}
        </div>
      }
    >
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls is reached by the keyboard */}
      <div role="group" aria-label={t("analytics.top")} tabIndex={0} className="overflow-x-auto">
        <table className="w-full min-w-[46rem] text-sm tabular-nums">
          <thead>
            <tr className="border-b border-line text-left text-xs text-fg-dim">
              <th scope="col" className="px-4 py-2 font-normal">{t(`analytics.by.${by}`)}</th>
              {(["in", "out", "bytes", "dropped", "denied", "reconnects"] as const).map((c) => (
                <th key={c} scope="col" className="px-4 py-2 text-right font-normal whitespace-nowrap">{t(`analytics.${c}`)}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {named.map((s) => <Row key={s.key} series={s} share={messages(s) / most} chosen={chosen === s.key}><Name series={s} by={by} chosen={chosen === s.key} onChoose={onChoose} /></Row>)}
            {rest && <Row series={rest}><span className="font-normal text-fg-muted">{t("analytics.others")}</span></Row>}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

const messages = ({ totals }: Series) => totals.messages_in + totals.messages_out;

function Name({ series: { key }, by, chosen, onChoose }: { series: Series; by: TalkerGroup; chosen: boolean; onChoose: (key: string | undefined) => void }) {
  const t = useT(analytics);
  const { devices } = useHub();
  const name = useTalkerName()(key, by);
  const known = by === "device" && devices.get(key) !== undefined;
  return (
    <span className="flex items-center justify-between gap-3">
      <span className="min-w-0">
        {known ? <Link to="/mqtt/devices/$deviceId" params={{ deviceId: key }} className="block max-w-40 truncate rounded-md underline-offset-4 hover:underline sm:max-w-72">{name}</Link> : <span className="block max-w-40 truncate sm:max-w-72">{name}</span>}
        {name !== key && key !== "" && key !== hubClient && <span className="block truncate text-xs font-normal text-fg-dim">{key}</span>}
      </span>
      <IconButton icon={ChartLine} label={t("analytics.show", { name })} aria-pressed={chosen} kind={chosen ? "primary" : "quiet"} onClick={() => onChoose(chosen ? undefined : key)} />
    </span>
  );
}

function Row({ series: { key, totals }, share, chosen = false, children }: { series: Series; share?: number; chosen?: boolean; children: ReactNode }) {
  const { number, bytes } = useFormats();
  const cell = "px-4 py-2.5 text-right whitespace-nowrap";
  return (
    <tr data-key={key} className={chosen ? "border-b border-line/60 bg-accent-soft last:border-0" : "border-b border-line/60 last:border-0"}>
      <th scope="row" className="px-4 py-2.5 text-left font-medium sm:min-w-64">
        {children}
        {share !== undefined && (
          <span aria-hidden className="mt-1.5 block h-1 rounded-full bg-idle-soft">
            <span className="block h-1 rounded-full bg-accent" style={{ width: `${Math.max(1, share * 100)}%` }} />
          </span>
        )}
      </th>
      <td className={cell}>{number(totals.messages_in)}</td>
      <td className={cell}>{number(totals.messages_out)}</td>
      <td className={cell}>{bytes(totals.bytes_in + totals.bytes_out)}</td>
      <td className={totals.dropped > 0 ? `${cell} text-warn` : cell}>{number(totals.dropped)}</td>
      <td className={totals.denied > 0 ? `${cell} text-warn` : cell}>{number(totals.denied)}</td>
      <td className={cell}>{number(totals.reconnects)}</td>
    </tr>
  );
}
