import { TextField } from "@obedio/web";
import { useState } from "react";
import { idsIn } from "./drafts";

export interface IdsFieldProps {
  label: string;
  hint: string;
  error: string | undefined;
  value: readonly string[];
  onChange: (ids: string[]) => void;
}

/** Ids in one field. What is typed stays as it is typed, as long as it means what the draft says. */
export function IdsField({ value, onChange, ...rest }: IdsFieldProps) {
  const [text, setText] = useState("");
  const typed = idsIn(text);
  const same = typed.length === value.length && typed.every((id, i) => id === value[i]);
  return (
    <TextField
      {...rest}
      value={same ? text : value.join(", ")}
      autoCapitalize="none"
      autoComplete="off"
      spellCheck={false}
      onChange={(e) => {
        setText(e.target.value);
        onChange(idsIn(e.target.value));
      }}
    />
  );
}
