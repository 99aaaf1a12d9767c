import { DataView, Facts, Section, Skeletons, useFormats } from "@obedio/web";
import { Download } from "lucide-react";
import type { Site, Usage } from "../api/resources";
import { useConsole, useT } from "../context";
import { useReading } from "../lists";
import { siteTexts as texts } from "../messages/site";

/** What the link of a site has carried, day by day. */
export function UsageCard({ site }: { site: Site }) {
  const t = useT(texts);
  const console = useConsole();
  const { bytes, day } = useFormats();
  const { data, state, again } = useReading<Usage>(`/sites/${encodeURIComponent(site.site_id)}/usage`, 60_000);
  const most = Math.max(1, ...(data?.days ?? []).map((d) => d.bytes_in + d.bytes_out));
  const sum = (data?.bytes_in ?? 0) + (data?.bytes_out ?? 0);
  return (
    <Section
      title={t("usage.title")}
      note={t("usage.lead")}
      testId="usage"
      actions={
        <a href={console.api.url("/usage/export", { site: site.site_id })} download className="inline-flex min-h-control items-center gap-2 rounded-control px-2 text-sm text-fg-muted hover:text-fg">
          <Download aria-hidden className="size-4" />{t("usage.csv")}
        </a>
      }
    >
      <DataView state={state} quietLink onRetry={again} empty={{ title: t("usage.none") }} skeleton={<Skeletons count={2} itemClass="h-9" className="flex flex-col gap-3 p-4" />}>
        {data && (data.days.length === 0 ? <p className="p-4 text-sm text-fg-muted">{t("usage.none")}</p> : (
          <>
            <Facts
              items={[
                { label: t("usage.today"), value: bytes(site.bytes_today) },
                { label: t("usage.perDay"), value: bytes(Math.round(sum / data.days.length)) },
                { label: t("usage.total"), value: bytes(sum) },
                ...(data.bytes_per_day ? [{ label: t("usage.budget"), value: bytes(data.bytes_per_day) }] : []),
              ]}
            />
            <ul aria-label={t("usage.title")} className="flex h-20 items-end gap-px px-4 pb-4">
              {data.days.map((d) => {
                const n = d.bytes_in + d.bytes_out;
                const words = t("usage.day", { day: day(Date.parse(d.day)), bytes: bytes(n) });
                const over = data.bytes_per_day !== undefined && n > data.bytes_per_day;
                return (
                  <li key={d.day} title={words} className="flex h-full max-w-8 min-w-0 flex-1 flex-col justify-end rounded-sm bg-ink-800">
                    <span className="sr-only">{words}</span>
                    <span aria-hidden className={over ? "rounded-sm bg-warn" : "rounded-sm bg-accent"} style={{ height: `${Math.max(3, (100 * n) / most)}%` }} />
                  </li>
                );
              })}
            </ul>
          </>
        ))}
      </DataView>
    </Section>
  );
}
