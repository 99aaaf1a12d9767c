import { Button, Facts, RelativeTime, Section, classes, useToast, useWork } from "@obedio/web";
import { FileUp, Link2 } from "lucide-react";
import { useState } from "react";
import { useCanWrite, useHub, usePermits, useSystem, useT } from "../context";
import { settings } from "../messages/settings";
import { buttonLook } from "../shell/ButtonLink";
import { parseClaim, type Claim } from "./claim";

/** The console that this hub belongs to, or the claim file that makes it belong to one. */
export function ConsoleCard({ title }: { title?: string }) {
  const t = useT(settings);
  const uplink = useSystem()?.uplink;
  const may = usePermits("system.write");
  if (!uplink) return null;
  return (
    <Section title={title ?? t("console.title")} note={uplink.state === "none" ? t("console.optional") : undefined} testId="console">
      {uplink.state !== "none" ? (
        <Facts
          items={[
            { label: t("shore.console"), value: uplink.console_url ?? t("device.unknown") },
            { label: t("shore.contact"), value: <RelativeTime at={uplink.last_contact} /> },
          ]}
        />
      ) : may ? (
        <Enrol />
      ) : (
        <p className="p-4 text-sm text-fg-muted">{t("console.none")}</p>
      )}
    </Section>
  );
}

function Enrol() {
  const t = useT(settings);
  const hub = useHub();
  const toast = useToast();
  const site = useSystem()?.site;
  const canWrite = useCanWrite();
  const work = useWork();
  const [claim, setClaim] = useState<Claim>();
  const [wrong, setWrong] = useState(false);
  const other = claim !== undefined && site !== undefined && claim.site_id !== site;
  const read = async (file: File | undefined) => {
    if (!file) return;
    const parsed = parseClaim(await file.text());
    setClaim(parsed);
    setWrong(parsed === undefined);
    work.clear();
  };
  const enrol = async () => {
    if (!(await work.run(() => hub.api.post("/sync/enrolment", claim)))) return;
    toast({ tone: "ok", title: t("console.enrolled") });
    hub.reload();
  };
  return (
    <div className="flex flex-col items-start gap-3 p-4">
      <p className="text-sm text-fg-muted">{t("console.detail")}</p>
      <label className={classes(buttonLook(), "cursor-pointer has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent-fg")}>
        <FileUp aria-hidden className="size-4.5" />
        {t(claim ? "console.other" : "console.file")}
        <input type="file" accept="application/json,.json" className="sr-only" onChange={(e) => void read(e.target.files?.[0])} />
      </label>
      {wrong && <p role="status" className="text-sm text-bad">{t("console.wrong")}</p>}
      {claim && (
        <>
          <Facts
            className="w-full px-0! py-2!"
            items={[
              { label: t("shore.console"), value: <span className="normal-nums">{claim.url}</span> },
              { label: t("console.site"), value: <span className="normal-nums">{claim.site_id}</span> },
              { label: t("console.expires"), value: <RelativeTime at={claim.expires_at} /> },
            ]}
          />
          {other && <p role="status" className="text-sm text-bad">{t("console.otherSite", { site: site ?? "", theirs: claim.site_id })}</p>}
          {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
          <Button kind="primary" icon={Link2} busy={work.busy} disabled={!canWrite || other} onClick={() => void enrol()}>{t("console.enrol")}</Button>
        </>
      )}
    </div>
  );
}
