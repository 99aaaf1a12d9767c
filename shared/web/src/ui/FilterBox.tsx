import { Search, X } from "lucide-react";
import { useId } from "react";
import { useWebMessages } from "../i18n/context";
import type { FilterFault } from "../filter/grammar";
import { IconButton } from "./Button";
import { classes } from "./classes";
import { controlClass } from "./Field";

export interface FilterBoxProps {
  value: string;
  onChange: (value: string) => void;
  label: string;
  placeholder: string;
  faults?: readonly FilterFault[];
  /** The words of the grammar, named when a wrong one is typed. */
  words?: readonly string[];
  className?: string;
  testId?: string;
}

export function FilterBox({ value, onChange, label, placeholder, faults, words, className, testId }: FilterBoxProps) {
  const t = useWebMessages();
  const id = useId();
  const fault = faults?.[0];
  const text = fault
    ? fault.kind === "unknown"
      ? t("filter.unknown", { word: fault.word, known: words?.join(", ") ?? "" })
      : t(fault.kind === "value" ? "filter.value" : "filter.number", { word: fault.word })
    : undefined;
  return (
    <div className={classes("min-w-0", className)}>
      <div className="relative">
        <Search aria-hidden className="pointer-events-none absolute top-1/2 left-3 size-4.5 -translate-y-1/2 text-fg-dim" />
        <input
          type="search"
          data-testid={testId}
          aria-label={label}
          aria-describedby={text ? id : undefined}
          aria-invalid={text ? true : undefined}
          placeholder={placeholder}
          value={value}
          autoCapitalize="none"
          autoCorrect="off"
          spellCheck={false}
          onChange={(e) => onChange(e.target.value)}
          onKeyDown={(e) => {
            if (e.key === "Escape" && value !== "") {
              e.preventDefault();
              onChange("");
            }
          }}
          className={classes(controlClass, "pr-11 pl-10 [&::-webkit-search-cancel-button]:hidden")}
        />
        {value !== "" && (
          <IconButton icon={X} label={t("filter.clear")} onClick={() => onChange("")} className="absolute! top-0 right-0 rounded-l-none!" />
        )}
      </div>
      {text && <p id={id} role="status" className="mt-1 text-xs text-warn">{text}</p>}
    </div>
  );
}
