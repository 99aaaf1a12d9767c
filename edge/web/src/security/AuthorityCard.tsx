import { Button, Dialog, DialogActions, Fold, TextField, useToast, useWork } from "@obedio/web";
import { Download, ListX, ShieldPlus } from "lucide-react";
import { useState } from "react";
import { useCanWrite, useHub, usePermits, useSystem, useT } from "../context";
import { security } from "../messages/security";
import { FileLink } from "../shell/ButtonLink";

/** The site's authority: what to trust, what is revoked, and a new one. */
export function AuthorityCard() {
  const t = useT(security);
  const hub = useHub();
  const site = useSystem()?.site ?? "site";
  const may = usePermits("system.write");
  const canWrite = useCanWrite();
  const [renewing, setRenewing] = useState(false);
  return (
    <section aria-label={t("authority.title")} data-testid="authority" className="rounded-card border border-line bg-ink-850">
      <Fold title={t("authority.title")} note={t("authority.note")} className="px-4 py-1">
        <div className="flex flex-wrap items-center gap-x-6 gap-y-3 py-3">
          <p className="min-w-0 flex-1 basis-72 text-sm text-fg-muted">{t("authority.detail")}</p>
          <div className="flex flex-wrap gap-3">
            <FileLink icon={Download} href={hub.api.url("/provision/ca.crt")} name={`obedio-${site}.crt`}>{t("authority.ca")}</FileLink>
            <FileLink icon={ListX} href={hub.api.url("/provision/site.crl")} name={`obedio-${site}.crl`}>{t("authority.crl")}</FileLink>
          </div>
        </div>
        {may && (
          <div className="flex flex-wrap items-center gap-x-6 gap-y-3 border-t border-line py-3">
            <p className="min-w-0 flex-1 basis-72 text-sm text-fg-muted">{t("authority.renew.detail")}</p>
            <Button kind="danger" icon={ShieldPlus} disabled={!canWrite} onClick={() => setRenewing(true)}>{t("authority.renew")}</Button>
          </div>
        )}
      </Fold>
      <Renew site={site} open={renewing} onOpenChange={setRenewing} />
    </section>
  );
}

function Renew({ site, open, onOpenChange }: { site: string; open: boolean; onOpenChange: (open: boolean) => void }) {
  const t = useT(security);
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const [typed, setTyped] = useState("");
  const submit = async () => {
    if (!(await work.run(() => hub.api.post("/security/authority")))) return;
    toast({ tone: "ok", title: t("authority.renewed") });
    onOpenChange(false);
  };
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={t("authority.renew")} description={t("authority.renew.detail")}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (typed === site && !work.busy) void submit();
        }}
        className="flex flex-col gap-4"
      >
        <TextField label={t("authority.type", { site })} value={typed} autoFocus autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(e) => setTyped(e.target.value.trim())} />
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        <DialogActions>
          <Button onClick={() => onOpenChange(false)}>{t("dialog.cancel")}</Button>
          <Button kind="danger" type="submit" icon={ShieldPlus} disabled={typed !== site} busy={work.busy}>{t("authority.renew")}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
