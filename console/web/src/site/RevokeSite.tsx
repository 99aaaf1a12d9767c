import { ApiError, Button, Dialog, DialogActions, TextField, useErrorText, useToast } from "@obedio/web";
import { Ban } from "lucide-react";
import { useState, type FormEvent } from "react";
import type { Site } from "../api/resources";
import { useCanWrite, useConsole, useT } from "../context";

/** Shuts a site out, for whoever types its id. */
export function RevokeSite({ site, open, onClose }: { site: Site; open: boolean; onClose: () => void }) {
  const t = useT();
  return (
    <Dialog open={open} onOpenChange={(next) => !next && onClose()} title={t("revoke.title", { name: site.name })} description={t("revoke.detail")} testId="revoke-site">
      <RevokeForm site={site} onClose={onClose} />
    </Dialog>
  );
}

function RevokeForm({ site, onClose }: { site: Site; onClose: () => void }) {
  const t = useT();
  const fleet = useConsole();
  const toast = useToast();
  const errorText = useErrorText();
  const canWrite = useCanWrite();
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const same = typed.trim() === site.site_id;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    if (busy || !same) return;
    setBusy(true);
    setFailure(undefined);
    try {
      await fleet.revokeSite(site.site_id);
      toast({ tone: "ok", title: t("revoke.done", { name: site.name }) });
      onClose();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setFailure(errorText(error));
      setBusy(false);
    }
  };
  return (
    <form noValidate onSubmit={(e) => void submit(e)} className="flex flex-col gap-4">
      <TextField label={t("revoke.type", { id: site.site_id })} value={typed} autoComplete="off" autoCapitalize="none" spellCheck={false} className="font-mono" onChange={(e) => setTyped(e.target.value)} />
      <div role="status" className="rounded-control bg-bad-soft px-3 py-2 text-sm text-bad empty:hidden">{failure}</div>
      <DialogActions>
        <Button onClick={onClose}>{t("dialog.cancel")}</Button>
        <Button kind="danger" type="submit" icon={Ban} busy={busy} disabled={!same || !canWrite}>{busy ? t("revoke.doing") : t("revoke.do", { name: site.name })}</Button>
      </DialogActions>
    </form>
  );
}
