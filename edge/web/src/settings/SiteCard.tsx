import { Button, ErrorNote, Facts, Section, TextField, useToast, useWork } from "@obedio/web";
import { useState, type FormEvent } from "react";
import { useCanWrite, useHub, usePermits, useSystem, useT } from "../context";
import { settings } from "../messages/settings";
import type { System } from "../api/resources";

/** What people call the site, and in which time zone pages show times. */
export function SiteCard({ title }: { title?: string }) {
  const t = useT(settings);
  const system = useSystem();
  const may = usePermits("system.write");
  if (!system) return null;
  return (
    <Section title={title ?? t("settings.site")} testId="site-card">
      <Facts
        items={[
          ...(may ? [] : [{ label: t("settings.name"), value: system.site_name }, { label: t("settings.zone"), value: system.time_zone ?? t("settings.zone.own") }]),
          { label: t("console.site"), value: <span className="normal-nums">{system.site}</span> },
          { label: t("settings.version"), value: <span className="normal-nums">{system.version}</span> },
        ]}
      />
      {may && <Form key={`${system.site_name} ${system.time_zone ?? ""}`} system={system} />}
    </Section>
  );
}

const zones = typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];

function Form({ system }: { system: System }) {
  const t = useT(settings);
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const canWrite = useCanWrite();
  const [name, setName] = useState(system.site_name);
  const [zone, setZone] = useState(system.time_zone ?? "");
  const changed = name.trim() !== system.site_name || zone !== (system.time_zone ?? "");
  const save = async (e: FormEvent) => {
    e.preventDefault();
    if (!(await work.run(() => hub.api.put("/system/site", { site_name: name.trim(), ...(zone ? { time_zone: zone } : {}) })))) return;
    toast({ tone: "ok", title: t("settings.site.saved") });
    hub.reload();
  };
  return (
    <form onSubmit={(e) => void save(e)} className="grid gap-4 border-t border-line p-4 sm:grid-cols-2">
      <TextField label={t("settings.name")} value={name} maxLength={80} onChange={(e) => setName(e.target.value)} />
      <TextField label={t("settings.zone")} hint={t("settings.zone.hint")} value={zone} list="time-zones" maxLength={64} autoCapitalize="none" spellCheck={false} onChange={(e) => setZone(e.target.value)} />
      <datalist id="time-zones">{zones.map((z) => <option key={z} value={z}>{z}</option>)}</datalist>
      {work.error && <div className="sm:col-span-2"><ErrorNote error={work.error} /></div>}
      <div className="sm:col-span-2">
        <Button type="submit" busy={work.busy} disabled={!canWrite || !changed || name.trim() === ""}>{t("settings.site.save")}</Button>
      </div>
    </form>
  );
}
