import { SelectField, TextField } from "@obedio/web";
import { useEffect, useState } from "react";
import { usePermits, useT } from "../context";
import { traffic } from "../messages/traffic";
import { DeviceField } from "../security/DeviceField";
import type { TrafficFilter } from "./live";

const settle = 300;
const everyButton = "obedio/+/+/button/+/press";

/** A value once it has not changed for a moment; the first one at once. */
export function useDelayed<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), settle);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

export function FilterForm({ filter, onChange }: { filter: TrafficFilter; onChange: (filter: TrafficFilter) => void }) {
  const t = useT(traffic);
  const mayRead = usePermits("traffic.payloads");
  const put = (part: Partial<TrafficFilter>) => onChange({ ...filter, ...part });
  return (
    <form role="search" aria-label={t("traffic.filter")} onSubmit={(e) => e.preventDefault()} className="grid grid-cols-2 gap-x-3 gap-y-4 sm:gap-x-4 xl:grid-cols-[2fr_1fr_1fr_1fr]">
      <div className="col-span-2 xl:col-span-1"><TextField label={t("traffic.filter.topic")} hint={t("traffic.filter.topic.hint")} placeholder={everyButton} value={filter.topic} maxLength={256} autoCapitalize="none" spellCheck={false} onChange={(e) => put({ topic: e.target.value })} /></div>
      <DeviceField label={t("traffic.filter.device")} value={filter.device} onChange={(device) => put({ device })} />
      <SelectField
        label={t("traffic.filter.direction")}
        value={filter.direction}
        options={[{ value: "", label: t("traffic.filter.both") }, { value: "inbound", label: t("traffic.inbound") }, { value: "outbound", label: t("traffic.outbound") }]}
        onChange={(e) => put({ direction: e.target.value as TrafficFilter["direction"] })}
      />
      {mayRead && <div className="col-span-2 xl:col-span-1"><TextField label={t("traffic.filter.contains")} value={filter.contains} maxLength={256} autoCapitalize="none" spellCheck={false} onChange={(e) => put({ contains: e.target.value })} /></div>}
    </form>
  );
}
