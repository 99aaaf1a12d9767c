import {
  Button, DataView, Mark, Pill, RelativeTime, Section, Skeletons, useStatus, useToast, useVersion, useWork, viewStateOf, type Look, type Page,
} from "@obedio/web";
import { BellRing, CircleCheck, CircleSlash, Clock, Hourglass, Mail, OctagonAlert, Pencil, Plus, Send, Trash2, Volume2, Webhook, type LucideIcon } from "lucide-react";
import { useMemo, useState } from "react";
import type { Delivery, NotificationRule } from "../api/resources";
import { useCanWrite, useHub, usePermits, useReach, useT } from "../context";
import { useServerList } from "../lists";
import { notifications as texts } from "../messages/notifications";
import { useReading } from "../reading";
import { Guard } from "../shell/Guard";
import { RuleDialog } from "./RuleDialog";

const byName = (r: NotificationRule) => r.name;
/** Milliseconds between two looks at what became of deliveries. */
const readEvery = 5000;

const stateLooks: Record<Delivery["state"], Look> = {
  waiting: { icon: Hourglass, tone: "idle" },
  delivered: { icon: CircleCheck, tone: "ok" },
  failed: { icon: OctagonAlert, tone: "bad" },
  expired: { icon: Clock, tone: "warn" },
  dropped: { icon: Trash2, tone: "warn" },
};

/** Who is told of what, and what became of it. */
export function NotificationsTab() {
  const deliveries = useReading<Page<Delivery>>("/notifications/deliveries?limit=50", readEvery);
  return (
    <Guard needs="alerts.read">
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-2">
        <Rules onTested={deliveries.again} />
        <Deliveries read={deliveries} />
      </div>
    </Guard>
  );
}

function Rules({ onTested }: { onTested: () => void }) {
  const t = useT(texts);
  const reach = useReach();
  const may = usePermits("system.write");
  const { list, reload } = useServerList<NotificationRule>("/notifications/rules", byName, true);
  const status = useStatus(list);
  const version = useVersion(list);
  // oxlint-disable-next-line react-hooks/exhaustive-deps -- version stands for the rules
  const rules = useMemo(() => [...list.values()].sort((a, b) => a.name.localeCompare(b.name)), [list, version]);
  const [open, setOpen] = useState<{ name: string | undefined }>();
  const add = may && <Button icon={Plus} onClick={() => setOpen({ name: undefined })}>{t("notify.add")}</Button>;
  return (
    <>
      <Section title={t("notify.title")} note={t("notify.note")} testId="rules" actions={rules.length > 0 && add}>
        <DataView
          state={viewStateOf({ status, total: rules.length, shown: rules.length, reach })}
          quietLink
          onRetry={reload}
          empty={{ title: t("notify.none"), detail: t("notify.none.detail"), action: add }}
          skeleton={<Skeletons count={2} itemClass="h-20" className="flex flex-col gap-2 p-4" />}
        >
          <ul className="divide-y divide-line px-4">{rules.map((r) => <Rule key={r.name} rule={r} may={may} onChange={() => setOpen({ name: r.name })} onTested={onTested} />)}</ul>
        </DataView>
      </Section>
      {open && <RuleDialog name={open.name} onClose={() => setOpen(undefined)} onSaved={reload} />}
    </>
  );
}

function Rule({ rule, may, onChange, onTested }: { rule: NotificationRule; may: boolean; onChange: () => void; onTested: () => void }) {
  const t = useT(texts);
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const canWrite = useCanWrite();
  const test = () => work.run(async () => {
    const made = await hub.api.post<Page<Delivery>>(`/notifications/rules/${encodeURIComponent(rule.name)}/test`);
    toast({ tone: "accent", title: t("notify.tested", { n: made.items.length }) });
    onTested();
  });
  return (
    <li data-rule={rule.name} className="py-3">
      <div className="flex flex-wrap items-center justify-between gap-x-3">
        <h3 className="flex min-w-0 flex-wrap items-center gap-x-2 text-sm font-medium break-all">
          {rule.name}
          {rule.disabled && <Pill tone="idle" icon={CircleSlash}>{t("notify.off")}</Pill>}
        </h3>
        {may && (
          <div className="flex flex-wrap">
            <Button kind="quiet" icon={Send} busy={work.busy} disabled={!canWrite} aria-label={t("notify.test.of", { name: rule.name })} onClick={() => void test()}>{t("notify.test")}</Button>
            <Button kind="quiet" icon={Pencil} aria-label={t("notify.edit", { name: rule.name })} onClick={onChange}>{t("notify.change")}</Button>
          </div>
        )}
      </div>
      {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      <RuleWords rule={rule} />
    </li>
  );
}

/** What a rule does, in a few words. */
export function RuleWords({ rule }: { rule: NotificationRule }) {
  const t = useT(texts);
  const what = rule.on.map((on) => (on === "alert" ? `${t("notify.on.word", { on })} (${t(`notify.severity.${rule.min_severity ?? "warning"}`)})` : t("notify.on.word", { on })));
  const ways: { icon: LucideIcon; text: string }[] = [
    ...(rule.sound && rule.sound !== "none" ? [{ icon: Volume2, text: t(`notify.sound.${rule.sound}`) }] : []),
    ...(rule.buzzer ? [{ icon: BellRing, text: t("notify.buzzer") }] : []),
    ...(rule.webhook ? [{ icon: Webhook, text: rule.webhook.url }] : []),
    ...(rule.mail ? [{ icon: Mail, text: rule.mail.to.join(", ") || t("notify.channel.mail") }] : []),
  ];
  return (
    <div className="mt-1 flex flex-col gap-1 text-sm">
      <p className="text-fg-muted">{what.join(", ")}{rule.quiet && ` · ${t("notify.quiet.word", rule.quiet)}`}</p>
      <ul className="flex flex-wrap gap-x-4 gap-y-1">
        {ways.map((w) => <li key={w.text} className="inline-flex min-w-0 items-center gap-1.5"><w.icon aria-hidden className="size-4 shrink-0 text-fg-dim" /><span className="min-w-0 break-all">{w.text}</span></li>)}
      </ul>
    </div>
  );
}

function Deliveries({ read: { data, state, again } }: { read: ReturnType<typeof useReading<Page<Delivery>>> }) {
  const t = useT(texts);
  return (
    <Section title={t("notify.deliveries")} testId="deliveries">
      <DataView
        state={data?.items.length === 0 && state.kind === "live" ? { kind: "empty" } : state}
        quietLink
        onRetry={again}
        empty={{ title: t("notify.deliveries.none"), detail: t("notify.deliveries.none.detail") }}
        skeleton={<Skeletons count={3} itemClass="h-14" className="flex flex-col gap-2 p-4" />}
      >
        <ul className="divide-y divide-line px-4">
          {data?.items.map((d) => {
            const look = stateLooks[d.state];
            return (
              <li key={d.delivery_id} data-delivery={d.state} className="py-3">
                <div className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
                  <span className="min-w-0 text-sm break-words">{t("notify.delivery.event", { event: d.event })} · {t(`notify.channel.${d.channel}`)} · <span className="break-all">{d.to}</span></span>
                  <Mark tone={look.tone} icon={look.icon} className="text-sm">{t(`notify.state.${d.state}`)}</Mark>
                </div>
                <p className="mt-0.5 flex flex-wrap gap-x-3 text-xs text-fg-dim">
                  <span>{d.rule}</span>
                  <RelativeTime at={d.done_at ?? d.created_at} />
                  {d.tries > 0 && <span>{t("notify.tries", { n: d.tries })}</span>}
                  {d.next_try && <span>{t("notify.next")} <RelativeTime at={d.next_try} /></span>}
                </p>
                {d.error && <p className="mt-1 text-xs break-words text-warn">{d.error}</p>}
              </li>
            );
          })}
        </ul>
      </DataView>
    </Section>
  );
}
