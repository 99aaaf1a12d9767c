import { SelectField, spanOf } from "@obedio/web";
import { useT } from "../context";
import { provision } from "../messages/provision";

/** How long a token may last, in seconds; the hub takes seven days at most. */
const lives = [1800, 7200, 86_400, 604_800];
export const defaultLife = 1800;
export const longestLife = 604_800;

export function LifeField({ value, onChange }: { value: number; onChange: (seconds: number) => void }) {
  const t = useT(provision);
  return (
    <SelectField
      label={t("provision.life")}
      hint={t("provision.life.hint")}
      value={String(value)}
      onChange={(e) => onChange(Number(e.target.value))}
      options={lives.map((s) => ({ value: String(s), label: t("time.span", { span: spanOf(s * 1000) }) }))}
    />
  );
}
