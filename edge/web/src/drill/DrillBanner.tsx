import { Banner, Button, stopwatch, useCell, useTicking, useWork } from "@obedio/web";
import { GraduationCap } from "lucide-react";
import { useCanWrite, useHub, usePermits, useT } from "../context";

/** On every page while the crew practises. */
export function DrillBanner() {
  const t = useT();
  const hub = useHub();
  const work = useWork();
  const canWrite = useCanWrite();
  const mayEnd = usePermits("crew.write");
  const drill = useCell(hub.drill);
  const ends = drill?.until ? Date.parse(drill.until) : 0;
  const left = useTicking((now) => (now < ends ? stopwatch(ends - now) : ""));
  if (!drill?.active || left === "") return null;
  return (
    <div className="mx-auto w-full max-w-400 px-4 pt-3 sm:px-6 print:hidden">
      <Banner
        testId="drill"
        tone="accent"
        icon={GraduationCap}
        title={t("drill.banner")}
        actions={mayEnd && <Button busy={work.busy} disabled={!canWrite} onClick={() => void work.run(() => hub.setDrill(0))}>{t("drill.end")}</Button>}
      >
        <span className="tabular-nums">{work.failure ?? t("drill.left", { left })}</span>
      </Banner>
    </div>
  );
}
