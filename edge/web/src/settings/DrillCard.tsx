import { Button, Choice, DataView, Pill, RelativeTime, Section, Skeletons, spanOf, useCell, useClock, useToast, useWork } from "@obedio/web";
import { CircleSlash, Megaphone } from "lucide-react";
import { useEffect, useState } from "react";
import type { Drill } from "../api/resources";
import { useCanWrite, useHub, usePermits, useT } from "../context";
import { calling } from "../messages/calling";
import { useReading } from "../reading";

/** Minutes that a drill can be begun for; the hub ends one after 4 h at the latest. */
const lengths = ["30", "60", "120", "240"] as const;

/** Begins a drill and ends it. */
export function DrillCard() {
  const t = useT(calling);
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const clock = useClock();
  const canWrite = useCanWrite();
  const may = usePermits("crew.write");
  const changes = useCell(hub.policyChanges);
  const { data, state, again } = useReading<Drill>("/drill", 15_000);
  const [minutes, setMinutes] = useState<(typeof lengths)[number]>("60");
  // oxlint-disable-next-line react-hooks/exhaustive-deps -- read again when somebody else has begun or ended one
  useEffect(again, [changes]);
  const put = async (body: { until?: string }) => {
    if (!(await work.run(() => hub.api.put("/drill", body)))) return;
    toast({ tone: "ok", title: t(body.until ? "drill.begun" : "drill.ended") });
    again();
  };
  return (
    <Section title={t("drill.title")} testId="drill-card">
      <DataView state={state} quietLink onRetry={again} empty={{ title: t("drill.off") }} skeleton={<Skeletons count={1} itemClass="h-24" className="p-4" />}>
        {data && (
          <div data-active={data.active} className="flex flex-col items-start gap-4 p-4">
            <div className="flex flex-wrap items-center gap-3">
              <Pill tone={data.active ? "accent" : "idle"} icon={data.active ? Megaphone : CircleSlash}>{t(data.active ? "drill.on" : "drill.off")}</Pill>
              {data.until && <span className="text-sm text-fg-muted">{t("drill.until")} <RelativeTime at={data.until} /></span>}
            </div>
            <p className="text-sm text-fg-muted">{t("drill.detail")}</p>
            {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
            {may && (data.active ? (
              <Button busy={work.busy} disabled={!canWrite} onClick={() => void put({})}>{t("drill.end")}</Button>
            ) : (
              <>
                <Choice legend={t("drill.for")} value={minutes} onChange={setMinutes} options={lengths.map((m) => ({ value: m, label: t("drill.span", { span: spanOf(Number(m) * 60_000) }) }))} />
                <Button kind="primary" icon={Megaphone} busy={work.busy} disabled={!canWrite} onClick={() => void put({ until: new Date(clock.now() + Number(minutes) * 60_000 - 1000).toISOString() })}>{t("drill.begin")}</Button>
              </>
            ))}
          </div>
        )}
      </DataView>
    </Section>
  );
}
