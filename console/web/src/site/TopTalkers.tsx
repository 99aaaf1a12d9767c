import { Chip, Section, useFormats } from "@obedio/web";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { SiteTraffic, TrafficTalker } from "../api/resources";
import { useT } from "../context";

export type TalkerGroup = Exclude<SiteTraffic["group"], "none">;
const groups: readonly TalkerGroup[] = ["device", "type", "room"];

interface Props {
  siteId: string;
  traffic: SiteTraffic;
  group: TalkerGroup;
  onGroup: (group: TalkerGroup) => void;
}

/** Who has the most messages in the time shown; a bar shows how much beside the first. */
export function TopTalkers({ siteId, traffic, group, onGroup }: Props) {
  const t = useT();
  const shown = traffic.group === "none" ? group : traffic.group;
  const most = Math.max(1, ...traffic.top.map((v) => messages(v.totals)));
  return (
    <Section
      testId="top-talkers"
      title={t("traffic.top")}
      actions={
        <div role="group" aria-label={t("traffic.group")} className="flex gap-2">
          {groups.map((name) => (
            <Chip key={name} pressed={group === name} onPress={() => onGroup(name)} label={t(`traffic.group.${name}`)} />
          ))}
        </div>
      }
    >
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls is reached by the keyboard */}
      <div className="overflow-x-auto" role="group" aria-label={t("traffic.top")} tabIndex={0}>
        <table className="w-full min-w-[46rem] text-sm tabular-nums" data-testid="talkers">
          <thead>
            <tr className="border-b border-line text-left text-xs text-fg-dim">
              <th scope="col" className="px-4 py-2 font-normal">{t(`traffic.group.${shown}`)}</th>
              <Head>{t("traffic.in")}</Head>
              <Head>{t("traffic.out")}</Head>
              <Head>{t("traffic.col.bytes")}</Head>
              <Head>{t("traffic.col.dropped")}</Head>
              <Head>{t("traffic.col.denied")}</Head>
              <Head>{t("traffic.col.reconnects")}</Head>
            </tr>
          </thead>
          <tbody>
            {traffic.top.map((talker) => (
              <Row key={talker.key} counts={talker.totals} share={messages(talker.totals) / most}>
                <Talker siteId={siteId} talker={talker} group={shown} />
              </Row>
            ))}
            {traffic.others && <Row counts={traffic.others}><span className="font-normal text-fg-muted">{t("traffic.others")}</span></Row>}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

const messages = (counts: TrafficTalker["totals"]) => counts.messages_in + counts.messages_out;

function Head({ children }: { children: ReactNode }) {
  return <th scope="col" className="px-4 py-2 text-right font-normal whitespace-nowrap">{children}</th>;
}

function Row({ counts, share, children }: { counts: TrafficTalker["totals"]; share?: number; children: ReactNode }) {
  const { bytes, number } = useFormats();
  const cell = "px-4 py-2.5 text-right whitespace-nowrap";
  return (
    <tr className="border-b border-line/60 last:border-0">
      <th scope="row" className="px-4 sm:min-w-48 py-2.5 text-left font-medium">
        {children}
        {share !== undefined && (
          <span aria-hidden className="mt-1.5 block h-1 rounded-full bg-idle-soft">
            <span className="block h-1 rounded-full bg-accent" style={{ width: `${Math.max(1, share * 100)}%` }} />
          </span>
        )}
      </th>
      <td className={cell}>{number(counts.messages_in)}</td>
      <td className={cell}>{number(counts.messages_out)}</td>
      <td className={cell}>{bytes(counts.bytes_in + counts.bytes_out)}</td>
      <td className={counts.dropped > 0 ? `${cell} text-warn` : cell}>{number(counts.dropped)}</td>
      <td className={counts.denied > 0 ? `${cell} text-warn` : cell}>{number(counts.denied)}</td>
      <td className={cell}>{number(counts.reconnects)}</td>
    </tr>
  );
}

/** The name of a talker; a device leads to its page. */
function Talker({ siteId, talker, group }: { siteId: string; talker: TrafficTalker; group: TalkerGroup }) {
  const t = useT();
  if (talker.key === "") return <span className="font-normal text-fg-muted">{t("traffic.key.unknown")}</span>;
  if (talker.key === "~other") return <span className="font-normal text-fg-muted">{t("traffic.key.other")}</span>;
  const name = <span className="block max-w-32 truncate sm:max-w-72">{talker.name || talker.key}</span>;
  return (
    <>
      {group === "device" && talker.known ? (
        <Link to="/sites/$siteId/devices/$deviceId" params={{ siteId, deviceId: talker.key }} className="rounded-md underline-offset-4 hover:underline">{name}</Link>
      ) : name}
      {talker.name && <span className="block truncate text-xs font-normal text-fg-dim">{talker.key}</span>}
      {group === "device" && !talker.known && <span className="block text-xs font-normal text-fg-dim">{t("traffic.client")}</span>}
    </>
  );
}
