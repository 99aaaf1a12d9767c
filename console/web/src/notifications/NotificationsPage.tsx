import {
  Button, CheckField, Choice, DataView, Dialog, DialogActions, IconButton, ManyChoice, Mark, Pill, RelativeTime, Section, Skeletons, TextField, useItem, useKeys, useStatus, useToast, useWork,
  viewStateOf, type Collection, type Tone,
} from "@obedio/web";
import { BellOff, CircleCheck, CircleX, Clock3, ClockAlert, Mail, Pencil, Plus, Send, ShieldCheck, ShieldOff, Trash2, Webhook, type LucideIcon } from "lucide-react";
import { useEffect, useState, type FormEvent } from "react";
import type { Delivery, NotificationRule } from "../api/resources";
import { useCanWrite, useConsole, usePermits, useReach, useT } from "../context";
import { useGrowingList, useServerList } from "../lists";
import { notifications as texts } from "../messages/notifications";
import { Page } from "../shell/Page";

const ruleKey = (r: NotificationRule) => r.name;
const deliveryKey = (d: Delivery) => d.delivery_id;
const byName = (c: Collection<NotificationRule>) => [...c.values()].map(ruleKey).sort();
const newestFirst = (c: Collection<Delivery>) => [...c.values()].map(deliveryKey).sort().reverse();
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const events = ["alert.raised", "alert.gone", "site.returned"] as const;
const severities = ["info", "warning", "critical"] as const;

/** Who is told of what by webhook or mail, and what became of it. */
export function NotificationsPage() {
  const t = useT(texts);
  return (
    <Page title={t("notify.title")} name={t("notify.title")}>
      <div className="flex flex-col gap-5">
        <Rules />
        <Deliveries />
      </div>
    </Page>
  );
}

function Rules() {
  const t = useT(texts);
  const may = usePermits("system.write");
  const canWrite = useCanWrite();
  const { list, reload } = useServerList<NotificationRule>("/notifications/rules", ruleKey);
  const ids = useKeys(list, byName);
  const [edited, setEdited] = useState<NotificationRule | "new">();
  const state = viewStateOf({ status: useStatus(list), total: ids.length, shown: ids.length, reach: useReach() });
  const add = may && <Button icon={Plus} disabled={!canWrite} onClick={() => setEdited("new")}>{t("notify.add")}</Button>;
  return (
    <Section title={t("notify.rules")} note={t("notify.lead")} actions={ids.length > 0 && add} testId="rules">
      <DataView
        state={state}
        quietLink
        onRetry={reload}
        empty={{ title: t("notify.empty"), detail: t("notify.empty.detail"), action: add }}
        skeleton={<Skeletons count={2} itemClass="h-14" className="flex flex-col gap-3 p-4" />}
      >
        <ul className="divide-y divide-line/60">{ids.map((id) => <RuleRow key={id} id={id} list={list} may={may} onEdit={setEdited} />)}</ul>
      </DataView>
      <Dialog open={edited !== undefined} onOpenChange={(open) => !open && setEdited(undefined)} title={t(edited === "new" ? "notify.add" : "notify.edit")} testId="rule-form">
        {edited !== undefined && <RuleForm held={edited === "new" ? undefined : edited} onDone={(r) => { list.upsert(r); setEdited(undefined); }} />}
      </Dialog>
    </Section>
  );
}

function RuleRow({ id, list, may, onEdit }: { id: string; list: Collection<NotificationRule>; may: boolean; onEdit: (r: NotificationRule) => void }) {
  const t = useT(texts);
  const console = useConsole();
  const toast = useToast();
  const canWrite = useCanWrite();
  const testing = useWork();
  const removing = useWork();
  const r = useItem(list, id);
  if (!r) return null;
  const at = `/notifications/rules/${encodeURIComponent(id)}`;
  const test = async () => {
    if (await testing.run(() => console.api.post(`${at}/test`))) toast({ tone: "ok", title: t("notify.tested") });
  };
  const remove = async () => {
    if (!(await removing.run(() => console.api.delete(at, { ifMatch: r.etag })))) return;
    list.remove(id);
    toast({ tone: "ok", title: t("notify.removed") });
  };
  const what = r.events.map((e) => t(`notify.event.${e}` as "notify.event.test")).join(", ");
  return (
    <li data-testid="rule" data-name={r.name} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 text-sm">
      <div className="min-w-0 flex-1 basis-64">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1 font-medium">
          {r.name}
          {r.disabled && <Pill tone="idle" icon={BellOff}>{t("notify.off")}</Pill>}
        </p>
        <p className="text-xs text-fg-muted">{`${what} · ${t(`notify.severity.${r.min_severity ?? "warning"}`)} · ${r.tag ? `tag:${r.tag}` : t("notify.allSites")}`}</p>
        <p className="mt-1 flex flex-wrap gap-x-4 gap-y-1 text-xs text-fg-dim">
          {r.webhook && <span className="inline-flex min-w-0 items-center gap-1.5"><Webhook aria-hidden className="size-3.5 shrink-0" /><span className="break-all">{r.webhook.url}</span></span>}
          {r.webhook && <span className="inline-flex items-center gap-1.5">{r.signed ? <ShieldCheck aria-hidden className="size-3.5" /> : <ShieldOff aria-hidden className="size-3.5" />}{t(r.signed ? "notify.signed" : "notify.unsigned")}</span>}
          {r.mail && <span className="inline-flex items-center gap-1.5"><Mail aria-hidden className="size-3.5" />{r.mail.to.join(", ")}</span>}
        </p>
      </div>
      {(testing.failure ?? removing.failure) && <p role="status" className="basis-full text-sm text-bad">{testing.failure ?? removing.failure}</p>}
      {may && (
        <span className="flex items-center gap-1">
          <Button icon={Send} busy={testing.busy} disabled={!canWrite} onClick={() => void test()}>{t("notify.test")}</Button>
          <IconButton icon={Pencil} label={`${t("notify.edit")}: ${r.name}`} disabled={!canWrite} onClick={() => onEdit(r)} />
          <IconButton icon={Trash2} label={`${t("notify.remove")}: ${r.name}`} busy={removing.busy} disabled={!canWrite} onClick={() => void remove()} />
        </span>
      )}
    </li>
  );
}

function RuleForm({ held, onDone }: { held: NotificationRule | undefined; onDone: (r: NotificationRule) => void }) {
  const t = useT(texts);
  const console = useConsole();
  const toast = useToast();
  const work = useWork();
  const [name, setName] = useState(held?.name ?? "");
  const [on, setOn] = useState<readonly string[]>(held?.events ?? ["alert.raised", "site.returned"]);
  const [severity, setSeverity] = useState<(typeof severities)[number]>(held?.min_severity ?? "warning");
  const [tag, setTag] = useState(held?.tag ?? "");
  const [url, setUrl] = useState(held?.webhook?.url ?? "");
  const [secret, setSecret] = useState("");
  const [mail, setMail] = useState(held?.mail?.to.join(", ") ?? "");
  const [enabled, setEnabled] = useState(!held?.disabled);
  const [tried, setTried] = useState(false);
  const to = mail.split(",").map((s) => s.trim()).filter(Boolean);
  const wrong = !namePattern.test(name) || on.length === 0 || (url.trim() === "" && to.length === 0);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (wrong || work.busy) return;
    const body = {
      events: on, min_severity: severity, disabled: !enabled,
      ...(held?.kinds ? { kinds: held.kinds } : {}), ...(held?.sites ? { sites: held.sites } : {}),
      ...(tag.trim() ? { tag: tag.trim() } : {}),
      ...(url.trim() ? { webhook: { url: url.trim() } } : {}),
      ...(to.length > 0 ? { mail: { to } } : {}),
      ...(secret ? { webhook_secret: secret } : {}),
    };
    const done = await work.run(async () => {
      onDone(held
        ? await console.api.put<NotificationRule>(`/notifications/rules/${encodeURIComponent(name)}`, body, { ifMatch: held.etag })
        : await console.api.post<NotificationRule>("/notifications/rules", { name, ...body }));
    });
    if (done) toast({ tone: "ok", title: t("notify.saved") });
  };
  return (
    <form noValidate onSubmit={(e) => void submit(e)} className="flex flex-col gap-4">
      {!held && <TextField label={t("notify.name")} hint={t("notify.nameHint")} value={name} autoCapitalize="none" spellCheck={false} onChange={(e) => setName(e.target.value.trim())} />}
      <ManyChoice legend={t("notify.events")} value={on} options={events.map((value) => ({ value, label: t(`notify.event.${value}`) }))} onChange={setOn} />
      <Choice legend={t("notify.severity")} value={severity} options={severities.map((value) => ({ value, label: t(`notify.severity.${value}`) }))} onChange={setSeverity} />
      <TextField label={t("notify.tag")} hint={t("notify.tagHint")} value={tag} autoCapitalize="none" spellCheck={false} onChange={(e) => setTag(e.target.value)} />
      <TextField label={t("notify.url")} hint={t("notify.urlHint")} value={url} inputMode="url" autoCapitalize="none" spellCheck={false} onChange={(e) => setUrl(e.target.value)} />
      {url.trim() !== "" && <TextField label={t("notify.secret")} hint={t("notify.secretHint")} type="password" autoComplete="off" value={secret} onChange={(e) => setSecret(e.target.value)} />}
      <TextField label={t("notify.mail")} hint={t("notify.mailHint")} value={mail} autoCapitalize="none" spellCheck={false} onChange={(e) => setMail(e.target.value)} />
      <CheckField label={t("notify.enabled")} checked={enabled} onChange={setEnabled} />
      {tried && wrong && <p role="status" className="text-sm text-bad">{t("notify.needs")}</p>}
      {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      <DialogActions><Button kind="primary" type="submit" busy={work.busy}>{t("notify.save")}</Button></DialogActions>
    </form>
  );
}

const looks: Record<Delivery["state"], { icon: LucideIcon; tone: Tone }> = {
  waiting: { icon: Clock3, tone: "accent" },
  delivered: { icon: CircleCheck, tone: "ok" },
  failed: { icon: CircleX, tone: "bad" },
  expired: { icon: ClockAlert, tone: "warn" },
  dropped: { icon: BellOff, tone: "idle" },
};

function Deliveries() {
  const t = useT(texts);
  const { list, reload, more } = useGrowingList<Delivery>("/notifications/deliveries", deliveryKey, undefined, 30);
  const ids = useKeys(list, newestFirst);
  useEffect(() => {
    const timer = setInterval(reload, 10_000);
    return () => clearInterval(timer);
  }, [reload]);
  const state = viewStateOf({ status: useStatus(list), total: ids.length, shown: ids.length, reach: useReach() });
  return (
    <Section title={t("notify.deliveries")} testId="deliveries">
      <DataView state={state} quietLink onRetry={reload} empty={{ title: t("notify.none"), detail: t("notify.none.detail") }} skeleton={<Skeletons count={3} itemClass="h-9" className="flex flex-col gap-3 p-4" />}>
        <ul className="divide-y divide-line/60">{ids.map((id) => <DeliveryRow key={id} id={id} list={list} />)}</ul>
        {more && <div className="flex justify-center p-4"><Button onClick={() => void more()}>{t("notify.older")}</Button></div>}
      </DataView>
    </Section>
  );
}

function DeliveryRow({ id, list }: { id: string; list: Collection<Delivery> }) {
  const t = useT(texts);
  const d = useItem(list, id);
  if (!d) return null;
  const look = looks[d.state];
  return (
    <li data-testid="delivery" data-state={d.state} className="flex flex-wrap items-center gap-x-4 gap-y-0.5 px-4 py-2.5 text-sm">
      <Mark tone={look.tone} icon={look.icon} className="w-28">{t(`notify.state.${d.state}`)}</Mark>
      <span className="min-w-0 flex-1 basis-56 truncate">{`${t(`notify.event.${d.event}` as "notify.event.test")}${d.site_id ? ` · ${d.site_id}` : ""}`}</span>
      <span className="text-xs text-fg-muted">{`${d.rule} → ${d.to}`}</span>
      <span className="text-xs text-fg-dim">{t("notify.tries", { n: d.tries })}{d.next_try && <>{` · ${t("notify.next")} `}<RelativeTime at={d.next_try} focusable={false} /></>}</span>
      <RelativeTime at={d.created_at} className="text-xs text-fg-dim" />
      {d.error && <span className="basis-full text-xs break-words text-fg-muted">{d.error}</span>}
    </li>
  );
}
