import { Check, ChevronDown, Plus } from "lucide-react";
import { useId, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes } from "react";
import { classes } from "./classes";

export const controlClass =
  "w-full min-h-control rounded-control border border-edge bg-ink-900 px-3 text-sm text-fg aria-invalid:border-bad disabled:opacity-60";

interface Labelled {
  label: string;
  hint?: string;
  error?: string | undefined;
}

function Frame({ id, label, hint, error, children }: Labelled & { id: string; children: ReactNode }) {
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">{label}</label>
      {children}
      {hint && !error && <p id={`${id}-hint`} className="text-xs text-fg-dim">{hint}</p>}
      {error && <p id={`${id}-error`} className="text-xs text-bad">{error}</p>}
    </div>
  );
}

function describe(id: string, { hint, error }: Labelled) {
  return { "aria-invalid": error ? true : undefined, "aria-describedby": error ? `${id}-error` : hint ? `${id}-hint` : undefined };
}

export function TextField({ label, hint, error, className, trailing, ...rest }: Labelled & InputHTMLAttributes<HTMLInputElement> & { trailing?: ReactNode }) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <div className="relative">
        <input id={id} {...describe(id, { label, hint, error })} className={classes(controlClass, trailing ? "pr-13" : "", className)} {...rest} />
        {trailing && <div className="absolute inset-y-0 right-0 flex items-center">{trailing}</div>}
      </div>
    </Frame>
  );
}

export function TextAreaField({ label, hint, error, className, ...rest }: Labelled & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <textarea id={id} {...describe(id, { label, hint, error })} className={classes(controlClass, "py-2 font-mono text-xs", className)} {...rest} />
    </Frame>
  );
}

export interface SelectFieldProps extends Labelled, SelectHTMLAttributes<HTMLSelectElement> {
  options: readonly { value: string; label: string }[];
}

/** The platform's own list: best on touch, and it needs no style element. */
export function Select({ options, className, ...rest }: SelectHTMLAttributes<HTMLSelectElement> & Pick<SelectFieldProps, "options">) {
  return (
    <span className={classes("relative inline-flex min-w-0", className)}>
      <select className={classes(controlClass, "appearance-none truncate pr-10")} {...rest}>
        {options.map((o) => <option key={o.value} value={o.value}>{o.label}</option>)}
      </select>
      <ChevronDown aria-hidden className="pointer-events-none absolute top-1/2 right-3 size-4.5 -translate-y-1/2 text-fg-muted" />
    </span>
  );
}

export function SelectField({ label, hint, error, options, className, ...rest }: SelectFieldProps) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <Select id={id} {...describe(id, { label, hint, error })} options={options} className={className} {...rest} />
    </Frame>
  );
}

export interface ChoiceProps<V extends string> {
  legend: string;
  value: V;
  options: readonly { value: V; label: string }[];
  onChange: (value: V) => void;
}

/** A few exclusive choices side by side. */
export function Choice<V extends string>({ legend, value, options, onChange }: ChoiceProps<V>) {
  const name = useId();
  return (
    <fieldset className="flex flex-col gap-1.5">
      <legend className="mb-1.5 text-sm font-medium">{legend}</legend>
      <div className="flex flex-wrap gap-2">
        {options.map((o) => (
          <label
            key={o.value}
            className="inline-flex min-h-control min-w-control cursor-pointer items-center justify-center rounded-control border border-edge px-3 text-sm has-checked:border-accent has-checked:bg-accent-soft has-checked:text-accent-fg has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent-fg"
          >
            <input type="radio" name={name} value={o.value} checked={o.value === value} onChange={() => onChange(o.value)} className="sr-only" />
            {o.label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export interface CheckFieldProps {
  label: string;
  hint?: string;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
}

/** Something that is so or not. */
export function CheckField({ label, hint, checked, disabled, onChange }: CheckFieldProps) {
  const id = useId();
  return (
    <div>
      <label className="inline-flex min-h-control cursor-pointer items-center gap-3 text-sm font-medium has-disabled:opacity-60">
        <span className="relative inline-flex size-6 shrink-0">
          <input
            type="checkbox"
            checked={checked}
            disabled={disabled}
            aria-describedby={hint ? `${id}-hint` : undefined}
            onChange={(e) => onChange(e.target.checked)}
            className="peer size-6 cursor-pointer appearance-none rounded-md border border-edge bg-ink-900 checked:border-accent checked:bg-accent"
          />
          <Check aria-hidden className="pointer-events-none absolute inset-0 m-auto hidden size-4.5 text-on-accent peer-checked:block" />
        </span>
        {label}
      </label>
      {hint && <p id={`${id}-hint`} className="-mt-1 ml-9 text-xs text-fg-dim">{hint}</p>}
    </div>
  );
}

export interface ManyChoiceProps {
  legend: string;
  hint?: string;
  value: readonly string[];
  options: readonly { value: string; label: string }[];
  onChange: (value: string[]) => void;
}

/** Any number out of a few, side by side. */
export function ManyChoice({ legend, hint, value, options, onChange }: ManyChoiceProps) {
  return (
    <fieldset className="flex flex-col gap-1.5">
      <legend className="mb-1.5 text-sm font-medium">{legend}</legend>
      <div className="flex flex-wrap gap-2">
        {options.map((o) => {
          const on = value.includes(o.value);
          return (
            <label
              key={o.value}
              className="inline-flex min-h-control cursor-pointer items-center gap-2 rounded-control border border-edge px-3 text-sm has-checked:border-accent has-checked:bg-accent-soft has-checked:text-accent-fg has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent-fg"
            >
              <input type="checkbox" checked={on} onChange={() => onChange(on ? value.filter((v) => v !== o.value) : [...value, o.value])} className="sr-only" />
              {on ? <Check aria-hidden className="size-4" /> : <Plus aria-hidden className="size-4 text-fg-dim" />}
              {o.label}
            </label>
          );
        })}
      </div>
      {hint && <p className="text-xs text-fg-dim">{hint}</p>}
    </fieldset>
  );
}
