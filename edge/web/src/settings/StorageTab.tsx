import { DataView, Facts, Fold, Pill, RelativeTime, Section, Skeletons, useFormats, type Look, type Span } from "@obedio/web";
import { CircleCheck, HardDrive, OctagonAlert, TriangleAlert } from "lucide-react";
import type { Settings, System } from "../api/resources";
import { usePermits, useSystem, useT } from "../context";
import { keeping as texts } from "../messages/keeping";
import { useReading } from "../reading";

type Level = System["storage"]["level"];

const looks: Record<Level, Look> = {
  ok: { icon: CircleCheck, tone: "ok" },
  warning: { icon: TriangleAlert, tone: "warn" },
  history_stopped: { icon: TriangleAlert, tone: "warn" },
  essential_only: { icon: OctagonAlert, tone: "bad" },
  hard_stop: { icon: OctagonAlert, tone: "bad" },
};

/** What is worth a place of its own; all the others stand below. */
const groups = {
  traffic: ["traffic-budget", "traffic-raw-age", "traffic-minute-age", "traffic-hour-age", "traffic-payloads", "traffic-payload-bytes"],
  history: ["notify-log-age", "notification-life", "notification-kept", "provision-keep", "session-max", "log-kept"],
  backups: ["backups-keep", "backup-recipient"],
  disk: ["disk-warn", "disk-history", "disk-essential", "disk-stop"],
  test: ["self-test-every", "self-test-after"],
} as const;

type Named = (typeof groups)[keyof typeof groups][number];

/** What is kept for how long, and what room there is. */
export function StorageTab() {
  const may = usePermits("system.write");
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-2">
      <Room />
      {may && <Started />}
    </div>
  );
}

function Room() {
  const t = useT(texts);
  const storage = useSystem()?.storage;
  const { bytes } = useFormats();
  if (!storage) return <Skeletons count={1} itemClass="h-48" />;
  const look = looks[storage.level];
  return (
    <Section title={t("keep.room")} testId="room">
      <div className="flex flex-wrap items-center gap-3 px-4 pt-4">
        <Pill tone={look.tone} icon={look.icon} wraps>{t(`keep.level.${storage.level}`)}</Pill>
        <span className="text-xs text-fg-dim">{t("keep.since")} <RelativeTime at={storage.since} bare /></span>
      </div>
      {storage.error && <p className="px-4 pt-3 text-sm break-words text-bad">{storage.error}</p>}
      <Facts
        items={[
          { label: t("keep.used"), value: bytes(storage.bytes) },
          { label: t("keep.free"), value: bytes(storage.free_bytes) },
          { label: t("keep.size"), value: bytes(storage.total_bytes) },
          { label: t("keep.ballast"), value: bytes(storage.ballast_bytes) },
        ]}
      />
      <p className="flex gap-2 px-4 pb-4 text-sm text-fg-muted"><HardDrive aria-hidden className="mt-0.5 size-4 shrink-0" />{t("keep.order")}</p>
    </Section>
  );
}

function Started() {
  const t = useT(texts);
  const { data, state, again } = useReading<{ settings: Settings }>("/system/settings");
  const all = data?.settings ?? {};
  const shown = new Set<string>(Object.values(groups).flat());
  const others = Object.keys(all).filter((k) => !shown.has(k)).sort();
  return (
    <Section title={t("keep.settings")} note={t("keep.settings.note")} testId="started-with">
      <DataView
        state={data && Object.keys(all).length === 0 && state.kind === "live" ? { kind: "empty" } : state}
        quietLink
        onRetry={again}
        empty={{ title: t("keep.none") }}
        skeleton={<Skeletons count={3} itemClass="h-20" className="flex flex-col gap-2 p-4" />}
      >
        <p className="px-4 pt-4 text-sm text-fg-muted">{t("keep.how")}</p>
        {Object.entries(groups).map(([group, names]) => (
          <section key={group} aria-label={t(`keep.group.${group as keyof typeof groups}`)}>
            <h3 className="px-4 pt-4 text-sm font-medium">{t(`keep.group.${group as keyof typeof groups}`)}</h3>
            <Facts
              className="pt-2!"
              items={names.filter((n) => n in all).map((n) => ({
                label: t(`keep.${n as Named}`),
                value: <><Value name={n} value={all[n]} /><code className="mt-0.5 block font-mono text-xs text-fg-dim">{flag(n)}</code></>,
              }))}
            />
          </section>
        ))}
        {others.length > 0 && (
          <Fold title={t("keep.group.all")} note={String(others.length)} className="border-t border-line px-4">
            <dl className="grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)] gap-x-4 gap-y-2 pb-4 text-xs">
              {others.map((n) => (
                <div key={n} className="col-span-2 grid grid-cols-subgrid">
                  <dt className="font-mono break-words text-fg-muted">{flag(n)}</dt>
                  <dd className="min-w-0 break-words"><Value name={n} value={all[n]} /></dd>
                </div>
              ))}
            </dl>
          </Fold>
        )}
      </DataView>
    </Section>
  );
}

const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds of a duration as the program writes it, such as 1h30m0s. */
export function durationOf(text: string): number | undefined {
  const parts = /^(-?)((?:\d+(?:\.\d+)?(?:h|ms|m|s))+)$/.exec(text);
  if (!parts) return undefined;
  const ms = [...parts[2]!.matchAll(/([\d.]+)(ms|h|m|s)/g)].reduce((sum, [, n, unit]) => sum + Number(n) * units[unit!]!, 0);
  return parts[1] ? -ms : ms;
}

/** Limits are told in days and not in weeks: 30 d, 730 d. What is no whole unit keeps a smaller one. */
export function lengthOf(ms: number): Span {
  const steps = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000]] as const;
  const [unit, size] = steps.find(([u, s]) => ms % s === 0 && ms >= (u === "d" ? 2 * s : s)) ?? (["s", 1000] as const);
  return { unit, count: ms / size };
}

/** How a setting is named where it is changed. */
const flag = (name: string) => `--${name}`;

function Value({ name, value }: { name: string; value: unknown }) {
  const t = useT(texts);
  const { bytes, number } = useFormats();
  if (value === null || value === undefined || value === "" || (Array.isArray(value) && value.length === 0)) return <span className="text-fg-dim">{t("keep.value.none")}</span>;
  if (typeof value === "number") return name.endsWith("budget") || name.endsWith("-bytes") ? bytes(value) : number(value);
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value !== "string") return JSON.stringify(value);
  const ms = durationOf(value);
  return ms === undefined ? value : ms < 0 ? t("keep.value.never") : t("time.span", { span: lengthOf(ms) });
}
