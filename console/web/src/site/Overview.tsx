import { Facts, RelativeTime, Section, classes, useFormats } from "@obedio/web";
import { CircleCheck, CircleDashed, ClockAlert, TriangleAlert } from "lucide-react";
import type { Site } from "../api/resources";
import { usePermits, useT } from "../context";
import { ClaimFile } from "../fleet/ClaimFile";
import { reasonText } from "../fleet/reasons";
import { useIsOld } from "../fleet/SiteAge";

export function Overview({ site }: { site: Site }) {
  const t = useT();
  const { number } = useFormats();
  const mayClaim = usePermits("provision.write");
  const unknown = <span className="text-idle">{t("fleet.unknown")}</span>;
  const lanes = ["requests", "commands", "state", "registry"] as const;
  return (
    <div className="grid items-start gap-5 lg:grid-cols-2">
      <div className="flex flex-col gap-5">
        <Section title={t("site.attention")}>
          {site.attention_reasons.length === 0 ? (
            <p className="flex items-center gap-2 p-4 text-sm text-fg-muted">{t("site.attention.none")}</p>
          ) : (
            <ul className="divide-y divide-line">
              {site.attention_reasons.map((reason) => (
                <li key={reason} className="flex items-center gap-2.5 px-4 py-2.5 text-sm">
                  <TriangleAlert aria-hidden className="size-4 shrink-0 text-warn" />
                  {reasonText(reason)}
                </li>
              ))}
            </ul>
          )}
        </Section>
        <Section title={t("site.tab.requests")}>
          {site.data_as_of === undefined ? <p className="p-4 text-sm">{unknown}</p> : (
            <Facts
              items={[
                { label: t("site.requests.open"), value: number(site.requests.open) },
                { label: t("site.requests.accepted"), value: number(site.requests.accepted) },
                { label: t("site.requests.emergency"), value: number(site.requests.emergency) },
              ]}
            />
          )}
        </Section>
        <Section title={t("site.hub")}>
          <Facts
            items={[
              { label: t("site.hub.version"), value: site.hub_version ?? unknown },
              { label: t("site.hub.epoch"), value: site.epoch === undefined ? unknown : <span className="font-mono text-xs break-all">{String(site.epoch)}</span> },
              { label: t("site.hub.id"), value: site.hub_id ? <span className="font-mono text-xs break-all">{site.hub_id}</span> : unknown },
              { label: t("site.hub.added"), value: <RelativeTime at={site.created_at} /> },
            ]}
          />
        </Section>
      </div>
      <div className="flex flex-col gap-5">
        <DeviceCounts site={site} />
        <Section title={t("site.backlog")}>
          {site.backlog ? <Facts items={lanes.map((lane) => ({ label: t(`site.backlog.${lane}`), value: number(site.backlog![lane]) }))} /> : <p className="p-4 text-sm">{unknown}</p>}
        </Section>
        {mayClaim && site.link_state !== "revoked" && site.link_state !== "retired" && (
          <Section title={t("claim.title")}><ClaimFile siteId={site.site_id} replaces={site.hub_id !== undefined} /></Section>
        )}
      </div>
    </div>
  );
}

function DeviceCounts({ site }: { site: Site }) {
  const t = useT();
  const { number } = useFormats();
  const old = useIsOld(site);
  const { counts } = site;
  const rows = [
    { key: "ready", label: t("presence.ready"), n: counts.ready, icon: CircleCheck, tone: "text-ok" },
    { key: "late", label: t("presence.late"), n: counts.late, icon: ClockAlert, tone: "text-warn" },
    { key: "lost", label: t("presence.lost"), n: counts.lost, icon: TriangleAlert, tone: "text-bad" },
    { key: "other", label: t("site.devices.other"), n: counts.other, icon: CircleDashed, tone: "text-idle" },
  ];
  return (
    <Section title={t("site.devices")} note={site.data_as_of === undefined ? t("fleet.unknown") : number(counts.devices)}>
      <dl className="grid grid-cols-2 gap-x-6 gap-y-4 p-4 sm:grid-cols-4">
        {rows.map(({ key, label, n, icon: Icon, tone }) => (
          <div key={key}>
            <dt className={classes("flex items-center gap-1.5 text-xs", old ? "text-idle" : "text-fg-dim")}>
              <Icon aria-hidden className={classes("size-4", old || n === 0 ? "text-idle" : tone)} />
              {label}
            </dt>
            <dd className={classes("mt-0.5 text-lg font-semibold", old && "text-idle")}>{site.data_as_of === undefined ? t("fleet.unknown") : number(n)}</dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}
