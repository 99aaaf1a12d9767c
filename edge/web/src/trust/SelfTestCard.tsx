import { Button, DataView, Mark, RelativeTime, Section, Skeletons, spanOf, useFormats, useToast, useWebMessages, useWork } from "@obedio/web";
import { CircleCheck, OctagonAlert, PhoneCall } from "lucide-react";
import type { SelfTest, SelfTestResult } from "../api/resources";
import { useCanWrite, useHub, usePermits, useT } from "../context";
import { trust as texts } from "../messages/trust";
import { useReading } from "../reading";

const readEvery = 15_000;
/** Each zone waits for its watch, one after the other. */
const longest = 120_000;

/** Whether a call would come through, zone by zone, with the proof. */
export function SelfTestCard({ onTried }: { onTried: () => void }) {
  const t = useT(texts);
  const web = useWebMessages();
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const may = usePermits("requests.write");
  const canWrite = useCanWrite();
  const { data, state, again } = useReading<SelfTest>("/system/self-test", readEvery);
  const tryNow = async () => {
    const done = await work.run(async () => {
      const now = await hub.api.post<SelfTest>("/system/self-test", undefined, { timeout: longest });
      // What failed is an alert, and told as one.
      if (now.zones.every((z) => z.ok)) toast({ tone: "ok", title: t("selfTest.tried", { n: now.zones.length }) });
    });
    if (!done) return;
    again();
    onTried();
  };
  return (
    <Section
      title={t("selfTest.title")}
      note={data && (data.every_s > 0 ? t("selfTest.every", { span: web("time.span", { span: spanOf(data.every_s * 1000) }) }) : t("selfTest.never"))}
      testId="self-test"
      actions={may && <Button icon={PhoneCall} busy={work.busy} disabled={!canWrite} onClick={() => void tryNow()}>{t("selfTest.try")}</Button>}
    >
      <p className="px-4 pt-4 text-sm text-fg-muted">{t("selfTest.detail")}</p>
      {work.failure && <p role="status" className="px-4 pt-3 text-sm text-bad">{work.failure}</p>}
      <DataView
        state={data?.zones.length === 0 && state.kind === "live" ? { kind: "empty" } : state}
        quietLink
        onRetry={again}
        empty={{ title: t("selfTest.none") }}
        skeleton={<Skeletons count={2} itemClass="h-16" className="flex flex-col gap-2 p-4" />}
      >
        <ul className="divide-y divide-line px-4 py-2">{data?.zones.map((z) => <Zone key={z.zone} result={z} />)}</ul>
      </DataView>
    </Section>
  );
}

function Zone({ result }: { result: SelfTestResult }) {
  const t = useT(texts);
  const hub = useHub();
  const { number } = useFormats();
  const watch = result.watch ? hub.devices.get(result.watch)?.name || result.watch : undefined;
  return (
    <li data-testid="zone" data-ok={result.ok} className="py-3">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
        <span className="text-sm font-medium">{result.zone || t("selfTest.zone.none")}</span>
        {result.ok ? <Mark tone="ok" icon={CircleCheck} className="text-sm">{t("selfTest.ok")}</Mark> : <Mark tone="bad" icon={OctagonAlert} className="text-sm">{t("selfTest.failed")}</Mark>}
      </div>
      {!result.ok && result.why && <p className="mt-1 text-sm">{t("selfTest.why", { why: result.why })}</p>}
      <dl className="mt-1 flex flex-wrap gap-x-4 gap-y-1 text-xs text-fg-dim">
        <div className="flex gap-1"><dt>{t("selfTest.when")}</dt><dd><RelativeTime at={result.at} /></dd></div>
        <div className="flex gap-1"><dt>{t("selfTest.room")}</dt><dd>{result.room}</dd></div>
        {watch && <div className="flex gap-1"><dt>{t("selfTest.watch")}</dt><dd>{watch}</dd></div>}
      </dl>
      <p className="mt-1 text-xs text-fg-dim">{t("selfTest.ms", { stored: number(result.stored_ms), answered: result.answered_ms === undefined ? undefined : number(result.answered_ms) })}</p>
    </li>
  );
}
