import { Banner, Button, Section, SelectField, classes, spanOf, useFormats, useWork } from "@obedio/web";
import { CircleCheck, History, TriangleAlert } from "lucide-react";
import { useState } from "react";
import type { DraftPolicy, Replay } from "../api/resources";
import { useHub, useT } from "../context";
import { security } from "../messages/security";

const spans = [3_600_000, 86_400_000, 604_800_000];

/** What the draft would have changed for the messages of the last hours, before it is saved. */
export function ReplayPanel({ draft }: { draft: DraftPolicy }) {
  const t = useT(security);
  const hub = useHub();
  const work = useWork();
  const [span, setSpan] = useState(spans[1]!);
  const [result, setResult] = useState<{ replay: Replay; of: string }>();
  const now = JSON.stringify(draft);
  const run = () =>
    void work.run(async () => {
      const to = new Date(hub.clock.now());
      const from = new Date(to.getTime() - span);
      const replay = await hub.api.post<Replay>("/security/acl/replay", { draft, from: from.toISOString(), to: to.toISOString() });
      setResult({ replay, of: now });
    });
  return (
    <Section title={t("replay.title")} note={t("replay.note")} testId="acl-replay">
      <div className="flex flex-col gap-4 p-4">
        <div className="flex flex-wrap items-end gap-3">
          <div className="min-w-32 flex-1">
            <SelectField label={t("replay.span")} value={String(span)} onChange={(e) => setSpan(Number(e.target.value))} options={spans.map((ms) => ({ value: String(ms), label: t("time.span", { span: spanOf(ms) }) }))} />
          </div>
          <Button icon={History} busy={work.busy} onClick={run}>{t(work.busy ? "replay.running" : "replay.run")}</Button>
        </div>
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        {result && result.of !== now && <p role="status" className="text-sm text-warn">{t("replay.outdated")}</p>}
        {result && <Outcome replay={result.replay} />}
      </div>
    </Section>
  );
}

function Outcome({ replay: r }: { replay: Replay }) {
  const t = useT(security);
  const { number } = useFormats();
  const examined = t("replay.examined", { n: number(r.examined) });
  return (
    <div data-testid="replay-result" className="flex flex-col gap-3">
      {r.newly_denied > 0 ? (
        <Banner tone="bad" icon={TriangleAlert} title={t("replay.denied", { n: number(r.newly_denied) })}>{examined}</Banner>
      ) : r.newly_allowed > 0 || r.denials_lifted > 0 ? (
        <Banner tone="accent" icon={CircleCheck} title={t("replay.allowed")}>{examined}</Banner>
      ) : (
        <Banner tone="ok" icon={CircleCheck} title={t("replay.same")}>{examined}</Banner>
      )}
      <dl className="grid grid-cols-3 gap-3">
        <Count label={t("replay.newlyDenied")} value={r.newly_denied} bad={r.newly_denied > 0} />
        <Count label={t("replay.newlyAllowed")} value={r.newly_allowed} />
        <Count label={t("replay.lifted")} value={r.denials_lifted} />
      </dl>
      {r.examples.length > 0 && (
        <ul aria-label={t("replay.examples")} className="divide-y divide-line rounded-control border border-line">
          {r.examples.map((e) => (
            <li key={`${e.client} ${e.direction} ${e.topic} ${e.draft.rule}`} className="px-3 py-2 text-xs">
              <p className="flex flex-wrap gap-x-2">
                <span className={e.draft.allowed ? "text-ok" : "text-bad"}>{t(e.draft.allowed ? "replay.becomesAllowed" : "replay.becomesDenied")}</span>
                <span className="font-medium">{e.client}</span>
                <span className="text-fg-dim">{t("denial.times", { n: number(e.messages) })}</span>
              </p>
              <code className="mt-0.5 block font-mono break-all text-fg-muted">{e.topic}</code>
              <p className="mt-0.5 text-fg-dim">{e.draft.rule}</p>
            </li>
          ))}
        </ul>
      )}
      {(r.more || r.truncated) && <p className="text-xs text-fg-dim">{t(r.truncated ? "replay.truncated" : "replay.more")}</p>}
    </div>
  );
}

function Count({ label, value, bad = false }: { label: string; value: number; bad?: boolean }) {
  const { number } = useFormats();
  return (
    <div className="rounded-control border border-line px-3 py-2">
      <dt className="text-xs text-fg-dim">{label}</dt>
      <dd className={classes("text-base font-semibold", bad && "text-bad")}>{number(value)}</dd>
    </div>
  );
}
