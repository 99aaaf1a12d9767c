import { Banner, Button, CheckField, Choice, Fold, Section, SelectField, TextField, classes, useKeys, useWork } from "@obedio/web";
import { FlaskConical, ShieldCheck, ShieldX } from "lucide-react";
import { useState, type FormEvent } from "react";
import type { AclDecision, AclTest, DraftPolicy, Profile } from "../api/resources";
import { useHub, useT } from "../context";
import { useServerList } from "../lists";
import { security } from "../messages/security";
import { DeviceField } from "./DeviceField";
import { profileKey, profileNames } from "./profiles";

const actions = ["publish", "receive", "subscribe", "unsubscribe"] as const;
type Action = (typeof actions)[number];
const oneDevice = "";
const exampleTopic = "obedio/yacht-1/cabin-101/button/btn-101/press";

export interface TestPanelProps {
  /** The policy is asked as it would be with this. */
  draft?: DraftPolicy | undefined;
  /** Who is asked about at first. */
  client?: string | undefined;
  profile?: string | undefined;
  action?: string | undefined;
  topic?: string | undefined;
  /** Only `client` is asked about. */
  fixed?: boolean;
}

/** May X do this to T? And the rule that says so. */
export function TestPanel({ draft, fixed = false, ...first }: TestPanelProps) {
  const t = useT(security);
  const hub = useHub();
  const work = useWork();
  const { list } = useServerList<Profile>("/security/profiles", profileKey, true);
  const names = useKeys(list, profileNames);
  const [profile, setProfile] = useState(first.client ? oneDevice : (first.profile ?? oneDevice));
  const [client, setClient] = useState(first.client ?? "");
  const [action, setAction] = useState<Action>(() => actionNamed(first.action));
  const [topic, setTopic] = useState(first.topic ?? "");
  const [qos, setQos] = useState("0");
  const [retain, setRetain] = useState(false);
  const [answer, setAnswer] = useState<{ asked: AclTest; decision: AclDecision; draft: boolean }>();
  const known = names.includes(profile) || profile === oneDevice ? names : [...names, profile];
  const ready = topic.trim() !== "" && (profile !== oneDevice || client !== "");
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (!ready || work.busy) return;
    const asked: AclTest = {
      action, topic: topic.trim(),
      ...(profile === oneDevice ? { client } : { profile }),
      ...(action === "publish" ? { qos: Number(qos), retain } : {}),
      ...(draft ? { draft } : {}),
    };
    void work.run(async () => {
      setAnswer(undefined);
      setAnswer({ asked, decision: await hub.api.post<AclDecision>("/security/acl/test", asked), draft: draft !== undefined });
    });
  };
  return (
    <Section title={t("test.title")} note={draft ? t("test.draft") : undefined} testId="acl-test">
      <form noValidate onSubmit={submit} className="flex flex-col gap-4 p-4">
        {!fixed && <SelectField
          label={t("test.who")}
          value={profile}
          onChange={(e) => setProfile(e.target.value)}
          options={[{ value: oneDevice, label: t("test.device") }, ...known.map((name) => ({ value: name, label: t("test.any", { profile: name }) }))]}
        />}
        {!fixed && profile === oneDevice && <DeviceField label={t("test.deviceId")} value={client} onChange={setClient} />}
        <Choice legend={t("test.action")} value={action} onChange={setAction} options={actions.map((a) => ({ value: a, label: t(`test.${a}`) }))} />
        <TextField
          label={t(action === "publish" || action === "receive" ? "test.topic" : "test.topicFilter")}
          value={topic} autoCapitalize="none" autoComplete="off" spellCheck={false} className="font-mono text-xs!" maxLength={1024}
          placeholder={exampleTopic}
          onChange={(e) => setTopic(e.target.value)}
        />
        {action === "publish" && (
          <div className="flex flex-wrap items-end gap-x-6 gap-y-3">
            <Choice legend={t("test.qos")} value={qos} onChange={setQos} options={["0", "1", "2"].map((v) => ({ value: v, label: v }))} />
            <CheckField label={t("test.retain")} checked={retain} onChange={setRetain} />
          </div>
        )}
        <Button kind={draft ? "secondary" : "primary"} type="submit" icon={FlaskConical} busy={work.busy} disabled={!ready}>{t("test.ask")}</Button>
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        {answer && <Answer {...answer} />}
      </form>
    </Section>
  );
}

function actionNamed(name: string | undefined): Action {
  const short = name?.replace(/^publish_/, "").replace(/^send$/, "publish");
  return actions.find((a) => a === short) ?? "publish";
}

function Answer({ asked, decision: d }: { asked: AclTest; decision: AclDecision }) {
  const t = useT(security);
  const who = asked.client ?? t("test.any", { profile: asked.profile ?? "" });
  const sentence = { who, action: t(`test.${asked.action as Action}`).toLowerCase(), topic: asked.topic };
  const because = (): string => {
    switch (d.rule) {
      case "default: deny":
        return t("test.because.default");
      case "invalid topic":
        return t("test.because.invalid");
      case "max_qos":
        return t("test.because.qos", { qos: d.max_qos });
      case "retain":
        return t("test.because.retain", { retain: t(`retain.${d.retain as "status"}`) });
      default:
        return t("test.because.rule");
    }
  };
  const byRule = (r: AclDecision["effective"][number]) => `${r.role}: ${r.acltype} ${r.written}` === d.rule;
  const decided = d.effective.findIndex(byRule);
  return (
    <div data-testid="acl-answer" data-allowed={d.allowed} className="flex flex-col gap-3">
      <Banner tone={d.allowed ? "ok" : "bad"} icon={d.allowed ? ShieldCheck : ShieldX} title={t(d.allowed ? "test.yes" : "test.no", sentence)}>
        {because()}
        {d.role && <code className="mt-1 block font-mono break-all text-fg">{d.rule}</code>}
      </Banner>
      {d.effective.length > 0 && (
        <Fold title={t("test.rules")} note={t("test.rules.note", { n: d.effective.length })}>
          <ol className="flex flex-col gap-1">
            {d.effective.map((r, i) => (
              <li
                // The same rule may stand in two roles.
                // oxlint-disable-next-line react/no-array-index-key
                key={i}
                aria-current={i === decided ? "true" : undefined}
                className={classes("flex gap-2 rounded-control px-2 py-1 text-xs", i === decided ? "bg-accent-soft text-fg" : "text-fg-muted")}
              >
                <span className={classes("w-12 shrink-0", r.allow ? "text-ok" : "text-bad")}>{t(r.allow ? "rule.allow" : "rule.deny")}</span>
                <code className="min-w-0 flex-1 font-mono break-all">{r.topic}</code>
                <span className="shrink-0 text-fg-dim">{r.role}</span>
              </li>
            ))}
          </ol>
        </Fold>
      )}
    </div>
  );
}
