import type { NotificationRule, NotificationRuleBody } from "../api/resources";

export interface RuleDraft {
  name: string;
  enabled: boolean;
  on: NotificationRule["on"];
  min_severity: NonNullable<NotificationRule["min_severity"]>;
  kinds: string[];
  when_gone: boolean;
  sound: NonNullable<NotificationRule["sound"]>;
  buzzer: boolean;
  webhook: string;
  /** A new secret; empty leaves it as it is. */
  secret: string;
  /** Takes the secret away. */
  unsigned: boolean;
  mail: string;
  quiet: boolean;
  from: string;
  to: string;
  quiet_critical: boolean;
}

export const blankRule: RuleDraft = {
  name: "", enabled: true, on: ["alert", "request_missed"], min_severity: "warning", kinds: [], when_gone: false, sound: "none", buzzer: false,
  webhook: "", secret: "", unsigned: false, mail: "", quiet: false, from: "22:00", to: "07:00", quiet_critical: false,
};

export function ruleDraft(r: NotificationRule): RuleDraft {
  return {
    name: r.name, enabled: !r.disabled, on: r.on, min_severity: r.min_severity ?? "warning", kinds: r.kinds ?? [], when_gone: r.when_gone ?? false,
    sound: r.sound ?? "none", buzzer: r.buzzer ?? false, webhook: r.webhook?.url ?? "", secret: "", unsigned: false, mail: (r.mail?.to ?? []).join(", "),
    quiet: r.quiet !== undefined, from: r.quiet?.from ?? blankRule.from, to: r.quiet?.to ?? blankRule.to, quiet_critical: r.quiet?.critical ?? false,
  };
}

export function addresses(text: string): string[] {
  return text.split(/[,;\s]+/).filter(Boolean);
}

export function ruleBody(d: RuleDraft): NotificationRuleBody {
  const to = addresses(d.mail);
  const url = d.webhook.trim();
  return {
    on: d.on,
    min_severity: d.min_severity,
    ...(d.enabled ? {} : { disabled: true }),
    ...(d.kinds.length > 0 ? { kinds: d.kinds } : {}),
    ...(d.when_gone ? { when_gone: true } : {}),
    ...(d.sound === "none" ? {} : { sound: d.sound }),
    ...(d.buzzer ? { buzzer: true } : {}),
    ...(url ? { webhook: { url } } : {}),
    ...(to.length > 0 ? { mail: { to } } : {}),
    ...(d.quiet ? { quiet: { from: d.from, to: d.to, ...(d.quiet_critical ? { critical: true } : {}) } } : {}),
    ...(d.unsigned ? { webhook_secret: "" } : d.secret ? { webhook_secret: d.secret } : {}),
  };
}

/** Tells somebody by it. */
export function tells(d: RuleDraft): boolean {
  return d.sound !== "none" || d.buzzer || d.webhook.trim() !== "" || addresses(d.mail).length > 0;
}
