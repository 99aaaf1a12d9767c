import { Button, DataView, Facts, Mark, RelativeTime, Section, type Tone } from "@obedio/web";
import { Audit, ChainMark } from "@obedio/web/audit";
import { Ban, CircleCheck, CircleHelp, Clock3, ClockAlert, TriangleAlert, type LucideIcon } from "lucide-react";
import { useMemo, useState } from "react";
import type { Site } from "../api/resources";
import { useCanWrite, useConsole, usePermits, useT } from "../context";
import { ClaimFile } from "../fleet/ClaimFile";
import { ForkNote } from "./AuditTab";
import { RevokeSite } from "./RevokeSite";

const verdicts: Record<string, { icon: LucideIcon; tone: Tone }> = {
  ok: { icon: CircleCheck, tone: "ok" },
  ahead: { icon: TriangleAlert, tone: "warn" },
  behind: { icon: TriangleAlert, tone: "warn" },
  diverged: { icon: TriangleAlert, tone: "bad" },
  fenced: { icon: Ban, tone: "bad" },
};

/** Who the hub of this site is, whether its audit is whole, and the ways to shut it out. */
export function SecurityTab({ site }: { site: Site }) {
  const t = useT();
  const { api } = useConsole();
  const mayAudit = usePermits("audit.read");
  const mayClaim = usePermits("provision.write");
  const mayRevoke = usePermits("sites.write");
  const maySee = usePermits("security.read");
  const canWrite = useCanWrite();
  const [revoking, setRevoking] = useState(false);
  const audit = useMemo(() => new Audit(api, `/sites/${encodeURIComponent(site.site_id)}/audit`), [api, site.site_id]);
  const unknown = <span className="text-idle">{t("fleet.unknown")}</span>;
  const over = site.link_state === "revoked" || site.link_state === "retired";
  if (!maySee) {
    return <DataView state={{ kind: "unavailable", why: "forbidden", needs: "security.read" }} empty={{ title: t("site.tab.security") }} skeleton={null}>{null}</DataView>;
  }
  return (
    <div className="flex flex-col gap-5" data-testid="site-security">
      <ForkNote site={site} />
      {mayAudit && <ChainMark audit={audit} />}
      <Section title={t("security.identity")}>
        <Facts
          items={[
            { label: t("site.hub.id"), value: site.hub_id ? <code className="font-mono text-xs break-all">{site.hub_id}</code> : unknown },
            { label: t("site.hub.epoch"), value: site.epoch ? <code className="font-mono text-xs break-all">{site.epoch}</code> : unknown },
            { label: t("security.verdict"), value: <Verdict verdict={site.verdict} /> },
            { label: t("security.clock"), value: <ClockState site={site} /> },
            { label: t("site.contact"), value: site.last_contact ? <RelativeTime at={site.last_contact} /> : unknown },
            { label: t("site.hub.version"), value: site.hub_version ?? unknown },
          ]}
        />
        <p className="border-t border-line px-4 py-3 text-xs text-fg-dim">{t("security.certificates")}</p>
      </Section>
      {mayClaim && !over && (
        <Section title={t("security.replace")}>
          <p className="px-4 pt-4 text-sm text-fg-muted">{t(site.hub_id ? "security.replace.detail" : "security.claim.detail")}</p>
          <ClaimFile key={site.site_id} siteId={site.site_id} replaces />
        </Section>
      )}
      {mayRevoke && (
        <Section title={t("security.revoke")}>
          <div className="flex flex-wrap items-center justify-between gap-4 p-4">
            <p className="min-w-0 flex-1 basis-72 text-sm text-fg-muted">
              {over ? <>{t("security.revoked.detail")} <RelativeTime at={site.link_since} /></> : t("security.revoke.detail")}
            </p>
            {!over && <Button kind="danger" icon={Ban} disabled={!canWrite} onClick={() => setRevoking(true)}>{t("security.revoke.do")}</Button>}
          </div>
        </Section>
      )}
      <RevokeSite site={site} open={revoking} onClose={() => setRevoking(false)} />
    </div>
  );
}

function Verdict({ verdict }: { verdict: string | undefined }) {
  const t = useT();
  if (verdict === undefined || verdict === "") return <span className="text-idle">{t("fleet.unknown")}</span>;
  const look = verdicts[verdict] ?? { icon: CircleHelp, tone: "idle" as const };
  const key = `verdict.${verdict}` as "verdict.ok";
  const word = t(key);
  return <Mark tone={look.tone} icon={look.icon} className="whitespace-normal!">{word === key ? verdict : word}</Mark>;
}

function ClockState({ site }: { site: Site }) {
  const t = useT();
  if (site.last_contact === undefined) return <span className="text-idle">{t("fleet.unknown")}</span>;
  return site.clock_trusted
    ? <Mark tone="ok" icon={Clock3}>{t("security.clock.trusted")}</Mark>
    : <Mark tone="warn" icon={ClockAlert}>{t("security.clock.not")}</Mark>;
}
