import { Button, CopyButton, Facts, RelativeTime, saveFile, useErrorText, ApiError } from "@obedio/web";
import { Download, FileKey2, QrCode } from "lucide-react";
import { Suspense, lazy, useState } from "react";
import type { Claim } from "../api/resources";
import { useCanWrite, useConsole, useT } from "../context";

const ClaimQr = lazy(() => import("./ClaimQr").then((m) => ({ default: m.ClaimQr })));

/** Makes a one-time claim for a site and hands it over as a file. The claim is held by this page only. */
export function ClaimFile({ siteId, replaces = false }: { siteId: string; replaces?: boolean }) {
  const t = useT();
  const console = useConsole();
  const errorText = useErrorText();
  const canWrite = useCanWrite();
  const [claim, setClaim] = useState<Claim>();
  const [drawn, setDrawn] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const make = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      setClaim(await console.claim(siteId));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setFailure(errorText(error));
    } finally {
      setBusy(false);
    }
  };
  if (!claim) {
    return (
      <div className="flex flex-col items-start gap-3 p-4">
        <p className="text-sm text-fg-muted">{t("claim.detail")} {replaces && t("claim.replaces")}</p>
        <Button kind={replaces ? "secondary" : "primary"} icon={FileKey2} busy={busy} disabled={!canWrite} onClick={() => void make()}>
          {busy ? t("claim.making") : replaces ? t("claim.new") : t("claim.make")}
        </Button>
        {failure && <p role="status" className="text-sm text-bad">{failure}</p>}
      </div>
    );
  }
  const command = "obedio-hub enroll --data DIR --claim claim.json";
  return (
    <div data-testid="claim">
      <div className="flex flex-wrap items-center gap-3 p-4 pb-0">
        <Button kind="primary" icon={Download} onClick={() => save(claim)}>{t("claim.download")}</Button>
        <Button icon={QrCode} aria-expanded={drawn} onClick={() => setDrawn(!drawn)}>{t(drawn ? "claim.qr.hide" : "claim.qr.show")}</Button>
      </div>
      {drawn && <Suspense fallback={<div className="m-4 size-64" />}><ClaimQr text={JSON.stringify(claim)} /></Suspense>}
      <Facts
        items={[
          { label: t("claim.expires"), value: <RelativeTime at={claim.expires_at} /> },
          { label: t("claim.url"), value: claim.url },
        ]}
      />
      <div className="border-t border-line p-4">
        <p className="text-xs text-fg-dim">{t("claim.fingerprint")}</p>
        <code className="mt-0.5 block font-mono text-xs break-all">{claim.fleet_root_sha256}</code>
        <p className="mt-4 text-sm">{t("claim.how")}</p>
        <div className="mt-2 flex flex-wrap items-center gap-3">
          <code className="min-w-0 flex-1 basis-72 rounded-control bg-ink-900 px-3 py-2 font-mono text-xs">{command}</code>
          <CopyButton text={command} />
        </div>
      </div>
    </div>
  );
}

function save(claim: Claim): void {
  saveFile(`${claim.site_id}-claim.json`, "application/json", `${JSON.stringify(claim, null, 2)}\n`);
}
