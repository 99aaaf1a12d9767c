import { Button, ErrorNote, Facts, RelativeTime, Section, Skeletons, useKeys, useStatus, type ApiError, type Collection } from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronRight } from "lucide-react";
import { useState } from "react";
import type { Certificate, Device, Profile } from "../api/resources";
import { useHub, useT } from "../context";
import { useServerList } from "../lists";
import { device as texts } from "../messages/device";
import { security } from "../messages/security";
import { CertificateDialog } from "../security/CertificateDialog";
import { CertificateState } from "../security/CertificateState";
import { certificateKey, groups } from "../security/certificates";
import type { Retain } from "../security/drafts";

const newestFirst = (list: Collection<Certificate>) => [...list.values()].sort((a, b) => b.issued_at.localeCompare(a.issued_at)).map((c) => c.serial);

/** The device's profile in short, and the certificates that it has had. */
export function Access({ device }: { device: Device }) {
  const t = useT(texts);
  const words = useT(security);
  const hub = useHub();
  const name = device.security_profile;
  const profile = useQuery<Profile, ApiError>({
    queryKey: ["profile", name],
    queryFn: ({ signal }) => hub.api.get<Profile>(`/security/profiles/${encodeURIComponent(name)}`, { signal }),
  });
  const p = profile.data;
  return (
    <Section title={t("device.access")} testId="access">
      {p ? (
        <Facts
          items={[
            { label: t("device.profile"), value: <Link to="/mqtt/security/acl" search={{ profile: name }} className="text-accent-fg normal-nums underline underline-offset-4">{name}</Link> },
            { label: t("device.access.cert"), value: t(p.client_cert_required ? "device.access.cert.required" : "device.access.cert.optional") },
            { label: t("device.access.qos"), value: p.max_qos },
            { label: words("profile.retain"), value: words(`retain.${(p.retain as Retain | undefined) ?? "status"}`) },
            ...(p.roles?.length ? [{ label: t("device.access.roles"), value: p.roles.join(", ") }] : []),
          ]}
        />
      ) : profile.isError ? (
        <ErrorNote error={profile.error} onRetry={() => void profile.refetch()} />
      ) : (
        <Skeletons count={1} itemClass="h-14" className="p-4" />
      )}
      <Certificates deviceId={device.device_id} />
    </Section>
  );
}

function Certificates({ deviceId }: { deviceId: string }) {
  const t = useT(texts);
  const { list, reload } = useServerList<Certificate>("/security/certificates", certificateKey, true, `device:${deviceId}`);
  const serials = useKeys(list, newestFirst);
  const status = useStatus(list);
  const [serial, setSerial] = useState<string>();
  const open = serial === undefined ? undefined : list.get(serial);
  return (
    <div className="border-t border-line px-4 py-3">
      <h3 className="text-xs text-fg-dim">{t("device.access.certs")}</h3>
      {status.phase === "failed" ? (
        <ErrorNote error={status.error} onRetry={reload} />
      ) : serials.length === 0 ? (
        <p className="py-2 text-sm text-fg-muted">{status.loadedAt === undefined ? t("view.loading") : t("device.access.certs.none")}</p>
      ) : (
        <ul className="-mx-2">
          {serials.map((s) => {
            const c = list.get(s);
            return c && (
              <li key={s}>
                <Button kind="quiet" className="w-full justify-between! px-2! text-fg!" aria-label={t("device.access.certs.open", { serial: s })} onClick={() => setSerial(s)}>
                  <span className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-0.5 font-normal">
                    <CertificateState bare state={c.state} />
                    <span className="text-xs text-fg-muted">{t("device.access.until")} <RelativeTime at={c.not_after} focusable={false} /></span>
                    <code className="hidden font-mono text-xs text-fg-dim sm:inline">{groups(s.slice(0, 12))}</code>
                  </span>
                  <ChevronRight aria-hidden className="size-5 shrink-0 text-fg-dim" />
                </Button>
              </li>
            );
          })}
        </ul>
      )}
      {open && <CertificateDialog certificate={open} onOpenChange={(o) => !o && setSerial(undefined)} onRevoked={reload} />}
    </div>
  );
}
