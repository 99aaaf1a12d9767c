import { ListFilter, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useSentences } from "../i18n/context";
import { Button } from "../ui/Button";
import { classes } from "../ui/classes";
import { TextField } from "../ui/Field";
import { auditTexts } from "./texts";
import { daysTurned, isFiltered } from "./query";
import type { AuditFilter } from "./types";

/** Milliseconds without a key until what is typed is asked for. */
const settle = 350;

export function AuditFilters({ value, onChange }: { value: AuditFilter; onChange: (filter: AuditFilter) => void }) {
  const t = useSentences(auditTexts);
  const [typed, setTyped] = useState(value);
  const [open, setOpen] = useState(isFiltered(value));
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const asked = useRef(value);
  // The address may change by other ways than typing here.
  useEffect(() => {
    if (asked.current !== value) setTyped(value);
    asked.current = value;
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const change = (name: keyof AuditFilter, text: string, wait: boolean) => {
    const next = { ...typed };
    if (text === "") delete next[name];
    else next[name] = text;
    setTyped(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange(trimmed(next)), wait ? settle : 0);
  };
  const text = (name: "actor" | "action" | "target") => (
    <TextField
      label={t(`audit.filter.${name}`)}
      placeholder={t(`audit.filter.${name}Hint`)}
      value={typed[name] ?? ""}
      maxLength={128}
      autoComplete="off"
      autoCapitalize="none"
      spellCheck={false}
      onChange={(e) => change(name, e.target.value, true)}
    />
  );
  return (
    <div role="search" aria-label={t("audit.filter")}>
      {/* On a phone the entries come first. */}
      <Button kind="quiet" icon={ListFilter} aria-expanded={open} className="-ml-2 px-2! sm:hidden" onClick={() => setOpen(!open)}>{t("audit.filter")}</Button>
      <div className={classes(open ? "grid pt-3 sm:pt-0" : "hidden sm:grid", "grid-cols-2 items-start gap-x-4 gap-y-3 sm:grid-cols-3 xl:grid-cols-[1fr_1fr_1fr_10.5rem_10.5rem_auto]")}>
      {text("actor")}
      {text("action")}
      {text("target")}
      <TextField label={t("audit.filter.from")} type="date" value={typed.from ?? ""} onChange={(e) => change("from", e.target.value, false)} />
      <TextField label={t("audit.filter.to")} type="date" value={typed.to ?? ""} error={daysTurned(typed) ? t("audit.filter.order") : undefined} onChange={(e) => change("to", e.target.value, false)} />
      <div className="flex self-end">
        <Button kind="quiet" icon={X} disabled={!isFiltered(typed)} onClick={() => { clearTimeout(timer.current); setTyped({}); onChange({}); }}>{t("audit.filter.clear")}</Button>
      </div>
      </div>
    </div>
  );
}

function trimmed(filter: AuditFilter): AuditFilter {
  return Object.fromEntries(Object.entries(filter).map(([k, v]) => [k, v.trim()]).filter(([, v]) => v !== "")) as AuditFilter;
}
