import { Button, IconButton, controlClass } from "@obedio/web";
import { Plus, X } from "lucide-react";
import { useEffect, useRef } from "react";
import { useT } from "../context";
import { device as texts } from "../messages/device";
import type { Line } from "./lines";

export interface LinesProps {
  legend: string;
  /** What the two fields of a line are, for who cannot see them. */
  nameLabel: string;
  valueLabel: string;
  lines: readonly Line[];
  mono?: boolean;
  readOnly?: boolean;
  onChange: (lines: Line[]) => void;
}

/** Names and values, a line each. */
export function Lines({ legend, nameLabel, valueLabel, lines, mono = false, readOnly = false, onChange }: LinesProps) {
  const t = useT(texts);
  const group = useRef<HTMLFieldSetElement>(null);
  const added = useRef(false);
  // Who adds a line goes on to type in it, once the line is there.
  useEffect(() => {
    if (!added.current) return;
    added.current = false;
    [...(group.current?.querySelectorAll<HTMLInputElement>("input[data-part=name]") ?? [])].at(-1)?.focus();
  });
  const put = (i: number, line: Line) => onChange(lines.map((l, k) => (k === i ? line : l)));
  const field = { className: `${controlClass} ${mono ? "font-mono text-xs!" : ""} min-w-0`, autoCapitalize: "none", autoComplete: "off", spellCheck: false, readOnly };
  return (
    <fieldset ref={group} className="flex min-w-0 flex-col gap-2">
      <legend className="mb-1.5 text-sm font-medium">{legend}</legend>
      {lines.map((line, i) => (
        // A line is where it stands: its name is being typed.
        // oxlint-disable-next-line react/no-array-index-key
        <div key={i} className="grid grid-cols-[minmax(0,2fr)_minmax(0,3fr)_auto] items-center gap-2">
          <input {...field} data-part="name" aria-label={nameLabel} value={line.name} maxLength={64} onChange={(e) => put(i, { ...line, name: e.target.value.trim() })} />
          <input {...field} aria-label={line.name ? `${line.name}: ${valueLabel}` : valueLabel} value={line.value} onChange={(e) => put(i, { ...line, value: e.target.value })} />
          {!readOnly && <IconButton icon={X} label={t("device.edit.drop", { name: line.name })} onClick={() => onChange(lines.filter((_, k) => k !== i))} />}
        </div>
      ))}
      {!readOnly && (
        <Button
          icon={Plus} kind="quiet" className="self-start"
          onClick={() => {
            added.current = true;
            onChange([...lines, { name: "", value: "" }]);
          }}
        >
          {t("device.edit.add")}
        </Button>
      )}
    </fieldset>
  );
}
