import { Banner, Button, Dialog, DialogActions, Fold, TextAreaField, saveFile, useWork } from "@obedio/web";
import { Download, FilePlus2, KeyRound } from "lucide-react";
import { useState, type FormEvent } from "react";
import type { IssuedCertificate } from "../api/resources";
import { useHub, useT } from "../context";
import { security } from "../messages/security";
import { bundleOf, issue } from "./certificates";
import { DeviceField } from "./DeviceField";

const pemHead = "-----BEGIN CERTIFICATE REQUEST-----";

export interface IssueCertificateProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onIssued: () => void;
}

/** A certificate by hand, for a device that cannot join by itself. Its key is shown once. */
export function IssueCertificate(props: IssueCertificateProps) {
  const t = useT(security);
  const [issued, setIssued] = useState<IssuedCertificate>();
  const change = (open: boolean) => {
    if (!open) setIssued(undefined);
    props.onOpenChange(open);
  };
  return (
    <Dialog
      open={props.open}
      onOpenChange={change}
      title={issued ? t("issue.done", { device: issued.device_id ?? "" }) : t("issue.title")}
      description={issued ? undefined : t("issue.detail")}
      testId="issue-certificate"
    >
      {issued ? (
        <Issued issued={issued} onClose={() => change(false)} />
      ) : (
        <IssueForm
          onCancel={() => change(false)}
          onIssued={(i) => {
            setIssued(i);
            props.onIssued();
          }}
        />
      )}
    </Dialog>
  );
}

function IssueForm({ onCancel, onIssued }: { onCancel: () => void; onIssued: (issued: IssuedCertificate) => void }) {
  const t = useT(security);
  const hub = useHub();
  const work = useWork();
  const [device, setDevice] = useState("");
  const [csr, setCsr] = useState("");
  const [tried, setTried] = useState(false);
  const unknown = !hub.devices.get(device);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (unknown || work.busy) return;
    void work.run(async () => onIssued(await issue(hub.api, device, csr)));
  };
  return (
    <form noValidate onSubmit={submit} className="flex flex-col gap-4">
      <DeviceField label={t("devices.col.device")} autoFocus value={device} onChange={setDevice} error={tried && unknown ? t("issue.unknown") : undefined} />
      <Fold title={t("issue.csr")} note={t("issue.csr.note")}>
        <TextAreaField label={t("issue.csr.label")} rows={6} value={csr} spellCheck={false} placeholder={pemHead} onChange={(e) => setCsr(e.target.value)} />
      </Fold>
      {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      <DialogActions>
        <Button onClick={onCancel}>{t("dialog.cancel")}</Button>
        <Button kind="primary" type="submit" icon={FilePlus2} busy={work.busy}>{t("issue.do")}</Button>
      </DialogActions>
    </form>
  );
}

function Issued({ issued, onClose }: { issued: IssuedCertificate; onClose: () => void }) {
  const t = useT(security);
  const [saved, setSaved] = useState(false);
  const name = issued.device_id ?? issued.serial;
  const pem = "application/x-pem-file";
  return (
    <div className="flex flex-col gap-4" data-testid="issued">
      {issued.private_key && <Banner tone="warn" icon={KeyRound} title={t("issue.once")}>{t("issue.once.detail")}</Banner>}
      <Button kind="primary" large icon={Download} onClick={() => { saveFile(`${name}.pem`, pem, bundleOf(issued)); setSaved(true); }}>
        {t(issued.private_key ? "issue.save" : "issue.saveNoKey")}
      </Button>
      <Fold title={t("issue.single")}>
        <div className="flex flex-wrap gap-3 pt-2">
          {issued.private_key && <Button icon={Download} onClick={() => { saveFile(`${name}.key`, pem, issued.private_key!); setSaved(true); }}>{t("issue.key")}</Button>}
          <Button icon={Download} onClick={() => saveFile(`${name}.crt`, pem, issued.certificate)}>{t("issue.certificate")}</Button>
          <Button icon={Download} onClick={() => saveFile("site-ca.crt", pem, issued.chain)}>{t("issue.chain")}</Button>
        </div>
      </Fold>
      <DialogActions>
        <Button kind={saved || !issued.private_key ? "secondary" : "quiet"} onClick={onClose}>{t(saved || !issued.private_key ? "dialog.close" : "issue.without")}</Button>
      </DialogActions>
    </div>
  );
}
