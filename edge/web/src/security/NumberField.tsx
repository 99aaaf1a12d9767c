import { TextField } from "@obedio/web";

export interface NumberFieldProps {
  label: string;
  hint?: string;
  error?: string | undefined;
  value: number | undefined;
  min: number;
  step?: "any";
  onChange: (value: number | undefined) => void;
}

/** A number, or nothing. */
export function NumberField({ value, onChange, ...rest }: NumberFieldProps) {
  return (
    <TextField
      {...rest}
      type="number"
      inputMode="decimal"
      value={value ?? ""}
      onChange={(e) => onChange(e.target.value === "" || Number.isNaN(Number(e.target.value)) ? undefined : Number(e.target.value))}
    />
  );
}
