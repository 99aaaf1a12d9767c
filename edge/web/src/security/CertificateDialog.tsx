import { Banner, Button, Choice, Dialog, DialogActions, Facts, RelativeTime, saveFile, useFormats, useToast, useWork } from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Download, ShieldX } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { Certificate } from "../api/resources";
import { useCanWrite, useHub, usePermits, useT } from "../context";
import { security } from "../messages/security";
import { CertificateState } from "./CertificateState";
import { groups, revocationReasons, revoke, type RevocationReason } from "./certificates";

export interface CertificateDialogProps {
  certificate: Certificate;
  onOpenChange: (open: boolean) => void;
  onRevoked: () => void;
}

/** One certificate, and how it is taken back. */
export function CertificateDialog({ certificate: c, onOpenChange, onRevoked }: CertificateDialogProps) {
  const t = useT(security);
  const [revoking, setRevoking] = useState(false);
  const title = c.device_id ?? t(c.kind === "authority" ? "certs.authority" : "certs.server");
  return (
    <Dialog open onOpenChange={onOpenChange} title={revoking ? t("revoke.title", { device: title }) : title} testId="certificate">
      {revoking ? (
        <Revoke certificate={c} onBack={() => setRevoking(false)} onDone={() => { onRevoked(); onOpenChange(false); }} />
      ) : (
        <Details certificate={c} onRevoke={() => setRevoking(true)} />
      )}
    </Dialog>
  );
}

function Details({ certificate: c, onRevoke }: { certificate: Certificate; onRevoke: () => void }) {
  const t = useT(security);
  const hub = useHub();
  const { minute } = useFormats();
  const may = usePermits("security.write");
  const canWrite = useCanWrite();
  // The list has no PEM; a certificate does not change.
  const whole = useQuery({
    queryKey: ["certificate", c.serial],
    queryFn: ({ signal }) => hub.api.get<Certificate>(`/security/certificates/${encodeURIComponent(c.serial)}`, { signal }),
  });
  const pem = whole.data?.pem;
  return (
    <>
      <Facts
        className="px-0!"
        items={[
          { label: t("devices.col.state"), value: <CertificateState bare state={c.state} /> },
          ...(c.device_id ? [{ label: t("devices.col.device"), value: <Link to="/mqtt/devices/$deviceId" params={{ deviceId: c.device_id }} className="text-accent-fg normal-nums underline underline-offset-4">{c.device_id}</Link> }] : []),
          { label: t("cert.from"), value: minute(Date.parse(c.not_before)) },
          { label: t("cert.to"), value: <>{minute(Date.parse(c.not_after))} · <RelativeTime at={c.not_after} /></> },
          ...(c.revoked_at ? [{ label: t("cert.revokedAt"), value: <RelativeTime at={c.revoked_at} /> }] : []),
          ...(c.reason ? [{ label: t("revoke.reason"), value: t(`revoke.${c.reason as RevocationReason}`) }] : []),
        ]}
      />
      <Digits label={t("certs.col.serial")}>{groups(c.serial)}</Digits>
      <Digits label={t("cert.fingerprint")}>{groups(c.fingerprint_sha256)}</Digits>
      <DialogActions>
        {pem && <Button icon={Download} onClick={() => saveFile(`${c.device_id ?? c.kind}-${c.serial.slice(0, 8)}.pem`, "application/x-pem-file", pem)}>{t("cert.download")}</Button>}
        {may && c.kind === "device" && c.state !== "revoked" && <Button kind="danger" icon={ShieldX} disabled={!canWrite} onClick={onRevoke}>{t("revoke.open")}</Button>}
      </DialogActions>
    </>
  );
}

function Digits({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="mt-2">
      <p className="text-xs text-fg-dim">{label}</p>
      <code className="mt-0.5 block font-mono text-xs">{children}</code>
    </div>
  );
}

function Revoke({ certificate: c, onBack, onDone }: { certificate: Certificate; onBack: () => void; onDone: () => void }) {
  const t = useT(security);
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const [reason, setReason] = useState<RevocationReason>("key_compromise");
  const submit = async () => {
    if (!(await work.run(() => revoke(hub.api, c.serial, reason)))) return;
    toast({ tone: "ok", title: t("revoke.done", { device: c.device_id ?? "" }) });
    onDone();
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (!work.busy) void submit();
      }}
      className="flex flex-col gap-4"
    >
      <Banner tone="bad" icon={ShieldX} title={t("revoke.effect")}>{t("revoke.effect.detail")}</Banner>
      <Choice legend={t("revoke.reason")} value={reason} onChange={setReason} options={revocationReasons.map((r) => ({ value: r, label: t(`revoke.${r}`) }))} />
      {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      <DialogActions>
        <Button onClick={onBack}>{t("revoke.keep")}</Button>
        <Button kind="danger" type="submit" icon={ShieldX} busy={work.busy}>{t("revoke.do")}</Button>
      </DialogActions>
    </form>
  );
}
