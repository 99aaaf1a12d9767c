import { Check, Minus } from "lucide-react";
import { useEffect, useRef } from "react";
import { useT } from "../context";
import { useChosen, useSelection } from "./selection";

/** The box that chooses one device; nothing while devices are not chosen. */
export function ChooseBox({ id, name }: { id: string; name: string }) {
  const t = useT();
  const selection = useSelection();
  const chosen = useChosen(selection, id);
  if (!selection) return null;
  return <Box label={t("devices.choose.one", { name })} checked={chosen} onChange={(on) => selection.set(id, on)} />;
}

export interface BoxProps {
  label: string;
  checked: boolean;
  /** Some of what it stands for are chosen. */
  partly?: boolean;
  onChange: (checked: boolean) => void;
}

export function Box({ label, checked, partly = false, onChange }: BoxProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (input.current) input.current.indeterminate = partly;
  }, [partly]);
  const Mark = partly ? Minus : Check;
  return (
    <label className="relative inline-flex size-control cursor-pointer items-center justify-center" title={label}>
      <input
        ref={input} type="checkbox" aria-label={label} checked={checked} onChange={(e) => onChange(e.target.checked)}
        className="size-6 cursor-pointer appearance-none rounded-md border border-edge bg-ink-900 checked:border-accent checked:bg-accent indeterminate:border-accent indeterminate:bg-accent"
      />
      {(checked || partly) && <Mark aria-hidden className="pointer-events-none absolute size-4.5 text-on-accent" />}
    </label>
  );
}
