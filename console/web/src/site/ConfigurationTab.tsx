import { Button, Section, SelectField, TextAreaField, TextField, useToast, useWork } from "@obedio/web";
import { useState, type FormEvent } from "react";
import { Windows } from "../alerts/Windows";
import type { Site } from "../api/resources";
import { useCanWrite, useConsole, usePermits, useT } from "../context";
import { siteTexts as texts } from "../messages/site";
import { PolicyCard } from "./PolicyCard";
import { UsageCard } from "./UsageCard";

/** What is said of a site ashore. What its hub owns is changed by orders. */
export function ConfigurationTab({ site }: { site: Site }) {
  return (
    <div className="grid items-start gap-5 xl:grid-cols-2">
      <SettingsForm key={site.etag} site={site} />
      <div className="flex flex-col gap-5">
        <PolicyCard site={site} />
        <UsageCard site={site} />
        <Windows siteId={site.site_id} />
      </div>
    </div>
  );
}

const million = 1_000_000;
const numberOf = (text: string): number | undefined => (text.trim() === "" ? undefined : Number(text.replace(",", ".")));

function SettingsForm({ site }: { site: Site }) {
  const t = useT(texts);
  const console = useConsole();
  const toast = useToast();
  const work = useWork();
  const may = usePermits("sites.write");
  const canWrite = useCanWrite();
  const [name, setName] = useState(site.name);
  const [tags, setTags] = useState((site.tags ?? []).join(", "));
  const [zone, setZone] = useState(site.zone ?? "");
  const [link, setLink] = useState<string>(site.link_profile ?? "");
  const [bytes, setBytes] = useState(site.bytes_per_day ? String(site.bytes_per_day / million) : "");
  const [away, setAway] = useState(site.away_minutes ? String(site.away_minutes / 60) : "");
  const [lat, setLat] = useState(site.position ? String(site.position.lat) : "");
  const [lng, setLng] = useState(site.position ? String(site.position.lng) : "");
  const [note, setNote] = useState(site.note ?? "");
  const [tried, setTried] = useState(false);
  const [latN, lngN, bytesN, awayN] = [numberOf(lat), numberOf(lng), numberOf(bytes), numberOf(away)];
  const placed = latN !== undefined || lngN !== undefined;
  const wrongPlace = placed && !(Math.abs(latN ?? NaN) <= 90 && Math.abs(lngN ?? NaN) <= 180);
  const wrong = name.trim() === "" || wrongPlace || Number.isNaN(bytesN ?? 0) || Number.isNaN(awayN ?? 0);
  const moved = latN !== site.position?.lat || lngN !== site.position?.lng;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (wrong || work.busy) return;
    const body = {
      name: name.trim(),
      tags: tags.split(",").map((s) => s.trim()).filter(Boolean),
      ...(zone.trim() ? { zone: zone.trim() } : {}),
      ...(link ? { link_profile: link } : {}),
      ...(bytesN ? { bytes_per_day: Math.round(bytesN * million) } : {}),
      ...(awayN ? { away_minutes: Math.round(awayN * 60) } : {}),
      ...(placed ? { position: { lat: latN, lng: lngN, ...(moved ? {} : { at: site.position?.at }) } } : {}),
      ...(site.template ? { template: site.template } : {}),
      ...(note.trim() ? { note: note.trim() } : {}),
    };
    const done = await work.run(async () => console.sites.upsert(await console.api.put<Site>(`/sites/${encodeURIComponent(site.site_id)}`, body, { ifMatch: site.etag })));
    if (done) toast({ tone: "ok", title: t("config.saved") });
  };
  const off = !may || !canWrite;
  return (
    <Section title={t("config.title")} testId="site-settings">
      <form noValidate onSubmit={(e) => void submit(e)} className="p-4">
        <fieldset disabled={off} className="flex flex-col gap-4">
          <TextField label={t("config.name")} value={name} maxLength={128} onChange={(e) => setName(e.target.value)} />
          <TextField label={t("config.tags")} hint={t("config.tagsHint")} value={tags} autoCapitalize="none" onChange={(e) => setTags(e.target.value)} />
          <div className="grid gap-4 sm:grid-cols-2">
            <TextField label={t("config.zone")} hint={t("config.zoneHint")} value={zone} autoCapitalize="none" spellCheck={false} onChange={(e) => setZone(e.target.value)} />
            <SelectField
              label={t("config.link")}
              value={link}
              options={[{ value: "", label: t("config.link.none") }, ...(["default", "economy", "crisis"] as const).map((value) => ({ value, label: t(`config.link.${value}`) }))]}
              onChange={(e) => setLink(e.target.value)}
            />
            <TextField label={t("config.bytes")} hint={t("config.bytesHint")} value={bytes} inputMode="decimal" onChange={(e) => setBytes(e.target.value)} />
            <TextField label={t("config.away")} hint={t("config.awayHint")} value={away} inputMode="decimal" onChange={(e) => setAway(e.target.value)} />
            <TextField label={t("config.lat")} hint={t("config.positionHint")} value={lat} inputMode="decimal" onChange={(e) => setLat(e.target.value)} />
            <TextField label={t("config.lng")} value={lng} inputMode="decimal" onChange={(e) => setLng(e.target.value)} />
          </div>
          <TextAreaField label={t("config.note")} rows={3} value={note} maxLength={1024} className="font-sans! text-sm!" onChange={(e) => setNote(e.target.value)} />
          {tried && wrong && <p role="status" className="text-sm text-bad">{t("config.wrong")}</p>}
          {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
          {may && <div className="flex justify-end"><Button kind="primary" type="submit" busy={work.busy}>{t("config.save")}</Button></div>}
        </fieldset>
      </form>
    </Section>
  );
}
