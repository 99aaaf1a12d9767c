import { CircleCheck, CloudUpload } from "lucide-react";
import { DataView, Facts, Mark, Section, Skeletons, useCell, useFormats, type ViewState } from "@obedio/web";
import { useConsole, useReach, useT } from "../context";
import type { SiteData } from "../site-data";

/** How far each lane has got. A head that the hub has not told is unknown, not up to date. */
export function SyncTab({ data }: { data: SiteData }) {
  const t = useT();
  const console = useConsole();
  const { number } = useFormats();
  const reach = useReach();
  const sync = useCell(data.sync);
  const error = useCell(data.syncError);
  const state: ViewState = sync
    ? reach
    : error?.status === 403
      ? { kind: "unavailable", why: "forbidden", needs: "sync.read" }
      : error ? { kind: "error", error } : reach.kind === "offline" ? reach : { kind: "loading" };
  return (
    <DataView
      state={state}
      quietLink
      onRetry={console.retry}
      empty={{ title: t("sync.unknown") }}
      skeleton={<Skeletons count={2} itemClass="h-40" className="flex flex-col gap-5" />}
    >
      {sync && (
        <div className="flex flex-col gap-5">
          <Section title={t("sync.lanes")}>
            {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls is reached by the keyboard */}
            <div className="overflow-x-auto" role="group" aria-label={t("sync.lanes")} tabIndex={0}>
              <table className="w-full min-w-96 text-sm tabular-nums" data-testid="lanes">
                <thead>
                  <tr className="border-b border-line text-left text-xs text-fg-dim">
                    <th scope="col" className="px-4 py-2 font-normal">{t("sync.lane")}</th>
                    <th scope="col" className="px-4 py-2 text-right font-normal">{t("sync.durable")}</th>
                    <th scope="col" className="px-4 py-2 text-right font-normal">{t("sync.head")}</th>
                    <th scope="col" className="px-4 py-2 font-normal">{t("sync.behind")}</th>
                  </tr>
                </thead>
                <tbody>
                  {sync.lanes.map(({ lane, name, durable, head }) => {
                    const behind = head === undefined ? undefined : Math.max(0, head - durable);
                    return (
                      <tr key={lane} data-lane={lane} className="border-b border-line/60 last:border-0">
                        <th scope="row" className="px-4 py-2.5 text-left font-medium">{`${lane} · ${name}`}</th>
                        <td className="px-4 py-2.5 text-right">{number(durable)}</td>
                        <td className="px-4 py-2.5 text-right">{head === undefined ? <span className="text-idle">{t("sync.unknown")}</span> : number(head)}</td>
                        <td className="px-4 py-2.5">
                          {behind === undefined ? <span className="text-idle">{t("sync.unknown")}</span>
                            : behind === 0 ? <Mark tone="ok" icon={CircleCheck}>{t("sync.behind.none")}</Mark>
                            : <Mark tone="warn" icon={CloudUpload}>{number(behind)}</Mark>}
                        </td>
                      </tr>
                    );
                  })}
                </tbody>
              </table>
            </div>
          </Section>
          {(sync.letters?.length ?? 0) > 0 && (
            <Section title={t("sync.dead")} note={t("sync.dead.detail")}>
              <ul className="divide-y divide-line">
                {sync.letters?.map(({ lane, seq, reason }) => (
                  <li key={`${lane}-${seq}`} className="flex flex-wrap justify-between gap-x-6 gap-y-1 px-4 py-2.5 text-sm">
                    <span className="font-medium">{t("sync.dead.where", { lane, seq })}</span>
                    <span className="text-fg-muted">{reason}</span>
                  </li>
                ))}
              </ul>
            </Section>
          )}
          <Section title={t("sync.state")}>
            <Facts
              items={[
                { label: t("sync.dead"), value: <span className={sync.dead_letters > 0 ? "text-bad" : ""}>{number(sync.dead_letters)}</span> },
                { label: t("sync.epoch"), value: <code className="font-mono text-xs break-all">{String(sync.epoch)}</code> },
                { label: t("sync.digest"), value: <code data-testid="digest" className="font-mono text-xs break-all">{sync.digest}</code> },
              ]}
            />
          </Section>
        </div>
      )}
    </DataView>
  );
}
