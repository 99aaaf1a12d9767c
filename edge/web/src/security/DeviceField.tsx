import { TextField, useVersion } from "@obedio/web";
import { useId } from "react";
import { useHub } from "../context";

export interface DeviceFieldProps {
  label: string;
  hint?: string;
  error?: string | undefined;
  value: string;
  autoFocus?: boolean;
  onChange: (deviceId: string) => void;
}

/** A device of the site, typed or chosen. */
export function DeviceField({ onChange, ...rest }: DeviceFieldProps) {
  const { devices } = useHub();
  const id = useId();
  useVersion(devices);
  return (
    <>
      <TextField {...rest} list={id} autoCapitalize="none" autoComplete="off" spellCheck={false} maxLength={64} onChange={(e) => onChange(e.target.value.trim())} />
      <datalist id={id}>
        {[...devices.values()].map((d) => <option key={d.device_id} value={d.device_id}>{`${d.room_name || d.room} ${d.name ?? ""}`}</option>)}
      </datalist>
    </>
  );
}
