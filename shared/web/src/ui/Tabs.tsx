import { useEffect, useRef, type ReactNode } from "react";
import { Tabs as Radix } from "radix-ui";

export interface TabsProps<V extends string> {
  label: string;
  value: V;
  onChange: (value: V) => void;
  tabs: readonly { value: V; label: string; count?: ReactNode }[];
  children: ReactNode;
}

/** Tabs that follow the keyboard rules of the ARIA practices; the panel is a Tab. */
export function Tabs<V extends string>({ label, value, onChange, tabs, children }: TabsProps<V>) {
  const list = useRef<HTMLDivElement>(null);
  // On a phone the tabs scroll; the chosen one is always in sight.
  useEffect(() => {
    const row = list.current;
    const chosen = row?.querySelector<HTMLElement>("[data-state=active]");
    if (!row || !chosen) return;
    const left = chosen.offsetLeft - row.offsetLeft;
    if (left < row.scrollLeft || left + chosen.offsetWidth > row.scrollLeft + row.clientWidth) row.scrollLeft = left - (row.clientWidth - chosen.offsetWidth) / 2;
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- value stands for the chosen tab in the document
  }, [value]);
  return (
    <Radix.Root value={value} onValueChange={(v) => onChange(v as V)} activationMode="manual">
      <Radix.List ref={list} aria-label={label} className="flex gap-1 overflow-x-auto border-b border-line">
        {tabs.map((tab) => (
          <Radix.Trigger
            key={tab.value}
            value={tab.value}
            className="-mb-px inline-flex min-h-control shrink-0 items-center gap-2 border-b-2 border-transparent px-3 text-sm text-fg-muted -outline-offset-2! hover:text-fg data-[state=active]:border-accent data-[state=active]:font-medium data-[state=active]:text-fg"
          >
            {tab.label}
            {tab.count !== undefined && <span className="rounded-full bg-idle-soft px-2 text-xs text-idle">{tab.count}</span>}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {children}
    </Radix.Root>
  );
}

export function Tab({ value, children }: { value: string; children: ReactNode }) {
  return <Radix.Content value={value} className="pt-4">{children}</Radix.Content>;
}
