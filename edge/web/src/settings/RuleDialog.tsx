import { CheckField, Choice, Fold, ManyChoice, TextField } from "@obedio/web";
import type { NotificationRule } from "../api/resources";
import { useAlertWords } from "../alerts/words";
import { useT } from "../context";
import { alertKinds } from "../messages/alerts";
import { notifications as texts } from "../messages/notifications";
import { useEditor } from "../security/useEditor";
import { namePattern } from "./calls";
import { DocumentDialog } from "./DocumentDialog";
import { RuleWords } from "./NotificationsTab";
import { blankRule, ruleBody, ruleDraft, tells, type RuleDraft } from "./rules";

const events = ["alert", "request_missed", "emergency"] as const;

/** Of what somebody is told, and how. */
export function RuleDialog({ name, onClose, onSaved }: { name: string | undefined; onClose: () => void; onSaved: () => void }) {
  const t = useT(texts);
  const words = useAlertWords();
  const editor = useEditor<NotificationRule, RuleDraft>({ path: "/notifications/rules", id: name, draftOf: ruleDraft, bodyOf: ruleBody, newBodyOf: (d) => ({ name: d.name, ...ruleBody(d) }), blank: blankRule });
  const { draft } = editor;
  const wrong = draft === undefined ? undefined
    : !namePattern.test(draft.name) ? t("notify.name.wrong")
    : draft.on.length === 0 ? t("notify.on.wrong")
    : !tells(draft) ? t("notify.how.wrong")
    : undefined;
  return (
    <DocumentDialog
      editor={editor}
      title={name === undefined ? t("notify.add") : t("notify.edit", { name })}
      wrong={wrong}
      removal={name === undefined ? undefined : { restores: false, detail: t("notify.remove.detail") }}
      theirs={(v) => <RuleWords rule={v} />}
      onClose={onClose}
      onSaved={onSaved}
    >
      {(d) => (
        <>
          {name === undefined && <TextField label={t("notify.name")} hint={t("notify.name.hint")} value={d.name} maxLength={64} autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(e) => editor.set({ ...d, name: e.target.value.trim() })} />}
          <CheckField label={t("notify.enabled")} checked={d.enabled} onChange={(enabled) => editor.set({ ...d, enabled })} />
          <ManyChoice legend={t("notify.on")} value={d.on} options={events.map((on) => ({ value: on, label: t("notify.on.word", { on }) }))} onChange={(on) => editor.set({ ...d, on: events.filter((e) => on.includes(e)) })} />
          {d.on.includes("alert") && (
            <>
              <Choice legend={t("notify.severity")} value={d.min_severity} onChange={(min_severity) => editor.set({ ...d, min_severity })} options={(["info", "warning", "critical"] as const).map((value) => ({ value, label: t(`notify.severity.${value}`) }))} />
              <Fold title={t("notify.kinds")} note={d.kinds.length === 0 ? t("notify.kinds.all") : String(d.kinds.length)}>
                <ManyChoice legend={t("notify.kinds")} hint={t("notify.kinds.hint")} value={d.kinds} options={alertKinds.map((kind) => ({ value: kind, label: words.title({ kind }) }))} onChange={(kinds) => editor.set({ ...d, kinds })} />
              </Fold>
              <CheckField label={t("notify.whenGone")} checked={d.when_gone} onChange={(when_gone) => editor.set({ ...d, when_gone })} />
            </>
          )}
          <Choice legend={t("notify.sound")} value={d.sound} onChange={(sound) => editor.set({ ...d, sound })} options={(["none", "chime", "alarm"] as const).map((value) => ({ value, label: t(`notify.sound.${value}`) }))} />
          <CheckField label={t("notify.buzzer")} hint={t("notify.buzzer.hint")} checked={d.buzzer} onChange={(buzzer) => editor.set({ ...d, buzzer })} />
          <TextField label={t("notify.webhook")} hint={t("notify.webhook.hint")} type="url" inputMode="url" value={d.webhook} maxLength={2048} autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(e) => editor.set({ ...d, webhook: e.target.value })} />
          {d.webhook.trim() !== "" && (
            <>
              <TextField label={t("notify.secret")} hint={t(editor.view?.signed ? "notify.secret.kept" : "notify.secret.hint")} type="password" autoComplete="new-password" maxLength={256} disabled={d.unsigned} value={d.secret} onChange={(e) => editor.set({ ...d, secret: e.target.value })} />
              {editor.view?.signed && <CheckField label={t("notify.secret.remove")} checked={d.unsigned} onChange={(unsigned) => editor.set({ ...d, unsigned })} />}
            </>
          )}
          <TextField label={t("notify.mail")} hint={t("notify.mail.hint")} inputMode="email" value={d.mail} autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(e) => editor.set({ ...d, mail: e.target.value })} />
          <CheckField label={t("notify.quiet")} hint={t("notify.quiet.hint")} checked={d.quiet} onChange={(quiet) => editor.set({ ...d, quiet })} />
          {d.quiet && (
            <div className="grid gap-4 sm:grid-cols-2">
              <TextField label={t("notify.quiet.from")} type="time" value={d.from} onChange={(e) => editor.set({ ...d, from: e.target.value })} />
              <TextField label={t("notify.quiet.to")} type="time" value={d.to} onChange={(e) => editor.set({ ...d, to: e.target.value })} />
              <CheckField label={t("notify.quiet.critical")} checked={d.quiet_critical} onChange={(quiet_critical) => editor.set({ ...d, quiet_critical })} />
            </div>
          )}
        </>
      )}
    </DocumentDialog>
  );
}
