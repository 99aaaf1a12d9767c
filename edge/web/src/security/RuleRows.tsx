import { Button, IconButton, Select, classes, controlClass } from "@obedio/web";
import { ArrowDown, ArrowUp, Plus, Trash2 } from "lucide-react";
import type { Rule } from "../api/resources";
import { useT } from "../context";
import { security } from "../messages/security";
import { moved, ruleKinds, type RuleKind } from "./drafts";

const ownTopics = "obedio/${site}/${room}/${type}/${device_id}/#";

export interface RuleRowsProps {
  label: string;
  rules: readonly Rule[];
  /** Where errors of the hub are found: the field's name in the body. */
  errors?: (index: number) => string | undefined;
  disabled: boolean;
  onChange: (rules: Rule[]) => void;
}

/** Rules, one a row, in the order in which they are asked. */
export function RuleRows({ label, rules, errors, disabled, onChange }: RuleRowsProps) {
  const t = useT(security);
  const put = (i: number, part: Partial<Rule>) => onChange(rules.map((r, j) => (j === i ? { ...r, ...part } : r)));
  const kinds = ruleKinds.map((k) => ({ value: k as string, label: t(`rule.${k}`) }));
  const answers = [{ value: "allow", label: t("rule.allow") }, { value: "deny", label: t("rule.deny") }];
  return (
    <div className="flex flex-col gap-3">
      {rules.length === 0 ? (
        <p className="rounded-control border border-dashed border-edge px-3 py-4 text-center text-sm text-fg-muted">{t("rules.none")}</p>
      ) : (
        <>
        <div aria-hidden className="-mb-2 hidden gap-2 px-2 text-xs text-fg-dim lg:grid lg:grid-cols-[10.5rem_6.5rem_minmax(0,1fr)_4.5rem_8.25rem]">
          <span>{t("rule.kind")}</span>
          <span>{t("rule.answer")}</span>
          <span>{t("rule.topic")}</span>
          <span>{t("rule.priority")}</span>
        </div>
        <ol aria-label={label} data-testid="rules" className="flex flex-col gap-3">
          {rules.map((r, i) => {
            const n = i + 1;
            const error = errors?.(i);
            return (
              <li
                // Rules have no id; a row is its place.
                // oxlint-disable-next-line react/no-array-index-key
                key={i}
                className={classes(
                  "grid grid-cols-2 gap-2 rounded-control border p-2 lg:grid-cols-[10.5rem_6.5rem_minmax(0,1fr)_4.5rem_8.25rem]",
                  error ? "border-bad" : r.allow ? "border-line" : "border-bad/50",
                )}
              >
                <Select aria-label={t("rule.kindOf", { n })} disabled={disabled} value={r.acltype} options={kinds} onChange={(e) => put(i, { acltype: e.target.value as RuleKind })} />
                <Select aria-label={t("rule.allowOf", { n })} disabled={disabled} value={r.allow ? "allow" : "deny"} options={answers} onChange={(e) => put(i, { allow: e.target.value === "allow" })} />
                <input
                  aria-label={t("rule.topicOf", { n })}
                  aria-invalid={error ? true : undefined}
                  disabled={disabled}
                  value={r.topic}
                  placeholder={ownTopics}
                  autoCapitalize="none"
                  autoComplete="off"
                  spellCheck={false}
                  maxLength={256}
                  onChange={(e) => put(i, { topic: e.target.value })}
                  className={classes(controlClass, "col-span-2 font-mono text-xs! lg:col-span-1")}
                />
                <div className="flex items-center gap-2">
                  <span aria-hidden className="shrink-0 text-xs whitespace-nowrap text-fg-dim lg:hidden">{t("rule.priority")}</span>
                  <input
                    aria-label={t("rule.priorityOf", { n })}
                    disabled={disabled}
                    type="number"
                    value={r.priority ?? 0}
                    onChange={(e) => put(i, { priority: Number(e.target.value) || 0 })}
                    className={classes(controlClass, "min-w-0")}
                  />
                </div>
                <div className="flex justify-end">
                  <IconButton icon={ArrowUp} label={t("rule.up", { n })} disabled={disabled || i === 0} onClick={() => onChange(moved(rules, i, -1))} />
                  <IconButton icon={ArrowDown} label={t("rule.down", { n })} disabled={disabled || i === rules.length - 1} onClick={() => onChange(moved(rules, i, 1))} />
                  <IconButton icon={Trash2} label={t("rule.remove", { n })} disabled={disabled} onClick={() => onChange(rules.filter((_, j) => j !== i))} />
                </div>
                {error && <p className="col-span-full text-xs text-bad">{error}</p>}
              </li>
            );
          })}
        </ol>
        </>
      )}
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        {!disabled && <Button icon={Plus} onClick={() => onChange([...rules, { acltype: "publishClientSend", topic: "", allow: true }])}>{t("rules.add")}</Button>}
        <p className="min-w-0 flex-1 basis-60 text-xs text-fg-dim">{t("rules.hint")}</p>
      </div>
    </div>
  );
}

/** Rules to read, one a line. */
export function RuleTexts({ rules }: { rules: readonly Rule[] }) {
  const t = useT(security);
  return rules.map((rule, i) => (
    // oxlint-disable-next-line react/no-array-index-key
    <span key={i} className="block break-all">
      {t(rule.allow ? "rule.allow" : "rule.deny")} · {t(`rule.${rule.acltype as RuleKind}`)} · <code className="font-mono">{rule.topic}</code>
    </span>
  ));
}
