import { useFormats } from "@obedio/web";
import type { SiteTraffic } from "../api/resources";
import { useT } from "../context";
import { BucketTime } from "./BucketTime";

/** The chart's numbers, newest first; what is not known says so. */
export function TrafficTable({ traffic }: { traffic: SiteTraffic }) {
  const t = useT();
  const { bytes, number } = useFormats();
  const head = "sticky top-0 bg-ink-850 px-4 py-2 font-normal";
  const title = t(`traffic.title.${traffic.bucket}`);
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls is reached by the keyboard
    <div className="max-h-96 overflow-auto" role="group" aria-label={title} tabIndex={0}>
      <table className="w-full min-w-[44rem] text-sm tabular-nums" data-testid="traffic-table">
        <thead>
          <tr className="text-left text-xs text-fg-dim">
            <th scope="col" className={head}>{t("traffic.col.time")}</th>
            <th scope="col" className={`${head} text-right`}>{t("traffic.in")}</th>
            <th scope="col" className={`${head} text-right`}>{t("traffic.out")}</th>
            <th scope="col" className={`${head} text-right`}>{t("traffic.col.bytes")}</th>
            <th scope="col" className={`${head} text-right`}>{t("traffic.col.dropped")}</th>
            <th scope="col" className={`${head} text-right`}>{t("traffic.col.denied")}</th>
          </tr>
        </thead>
        <tbody>
          {[...traffic.buckets].reverse().map(({ at, counts, held, hours }) => (
            <tr key={at} className="border-t border-line/60" data-known={counts !== undefined}>
              <th scope="row" className="px-4 py-2 text-left font-medium whitespace-nowrap">
                <BucketTime at={at} day={traffic.bucket === "day"} />
                {held > 0 && held < hours && <span className="ml-2 text-xs font-normal text-warn">{t("traffic.partly", { held, hours })}</span>}
              </th>
              {counts ? (
                <>
                  <td className="px-4 py-2 text-right">{number(counts.messages_in)}</td>
                  <td className="px-4 py-2 text-right">{number(counts.messages_out)}</td>
                  <td className="px-4 py-2 text-right whitespace-nowrap">{bytes(counts.bytes_in + counts.bytes_out)}</td>
                  <td className="px-4 py-2 text-right">{number(counts.dropped)}</td>
                  <td className="px-4 py-2 text-right">{number(counts.denied)}</td>
                </>
              ) : (
                <td colSpan={5} className="px-4 py-2 text-right text-idle">{t("traffic.gap")}</td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
