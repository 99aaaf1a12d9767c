import {
  Button, CheckField, Choice, DataView, Dialog, DialogActions, IconButton, RelativeTime, Section, Skeletons, TextField, useFormats, useToast, useWork,
  type Page,
} from "@obedio/web";
import { Archive, Download, Lock, LockOpen, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Backup, BackupInput } from "../api/resources";
import { useCanWrite, useHub, useT } from "../context";
import { trust as texts } from "../messages/trust";
import { useReading } from "../reading";
import { buttonLook } from "../shell/ButtonLink";

/** A backup of a full store on a slow board. */
const longest = 600_000;
const leastPassphrase = 8;

/** The backups that the hub keeps, and the way to make and take one. */
export function Backups({ onChanged }: { onChanged: () => void }) {
  const t = useT(texts);
  const canWrite = useCanWrite();
  const { data, state, again } = useReading<Page<Backup>>("/backups");
  const [making, setMaking] = useState(false);
  const [removing, setRemoving] = useState<Backup>();
  const changed = () => {
    again();
    onChanged();
  };
  return (
    <Section
      title={t("backups.title")}
      testId="backups"
      actions={<Button icon={Archive} disabled={!canWrite} onClick={() => setMaking(true)}>{t("backups.make")}</Button>}
    >
      <DataView
        state={data?.items.length === 0 && state.kind === "live" ? { kind: "empty" } : state}
        quietLink
        onRetry={again}
        empty={{ title: t("backups.none"), detail: t("backups.none.detail") }}
        skeleton={<Skeletons count={2} itemClass="h-14" className="flex flex-col gap-2 p-4" />}
      >
        <ul className="divide-y divide-line px-4 py-1">{data?.items.map((b) => <Kept key={b.name} backup={b} onRemove={() => setRemoving(b)} />)}</ul>
      </DataView>
      {making && <Make onClose={() => setMaking(false)} onMade={changed} />}
      {removing && <Remove backup={removing} onClose={() => setRemoving(undefined)} onRemoved={changed} />}
    </Section>
  );
}

function Kept({ backup, onRemove }: { backup: Backup; onRemove: () => void }) {
  const t = useT(texts);
  const hub = useHub();
  const canWrite = useCanWrite();
  const { bytes } = useFormats();
  const Icon = backup.encrypted ? Lock : LockOpen;
  return (
    <li data-testid="backup" data-name={backup.name} className="flex flex-wrap items-center gap-x-3 gap-y-1 py-2">
      <div className="min-w-0 flex-1 basis-44">
        <p className="text-sm font-medium break-all">{backup.name}</p>
        <p className="mt-0.5 flex flex-wrap items-center gap-x-3 text-xs text-fg-muted">
          <RelativeTime at={backup.created_at} />
          <span>{bytes(backup.bytes)}</span>
          <span className={backup.encrypted ? "inline-flex items-center gap-1" : "inline-flex items-center gap-1 text-warn"}><Icon aria-hidden className="size-3.5" />{t(backup.encrypted ? "backups.encrypted" : "backups.open")}</span>
        </p>
      </div>
      <a href={hub.api.url(`/backups/${encodeURIComponent(backup.name)}`)} download={backup.name} aria-label={t("backups.download.of", { name: backup.name })} title={t("backups.download")} className={`${buttonLook("quiet")} min-w-control px-0!`}>
        <Download aria-hidden className="size-5" />
      </a>
      <IconButton icon={Trash2} disabled={!canWrite} label={t("backups.remove.of", { name: backup.name })} onClick={onRemove} />
    </li>
  );
}

type LockKind = "passphrase" | "recipients" | "plain";

function Make({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const t = useT(texts);
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const [lock, setLock] = useState<LockKind>("passphrase");
  const [first, setFirst] = useState("");
  const [second, setSecond] = useState("");
  const [traffic, setTraffic] = useState(false);
  const [tried, setTried] = useState(false);
  const wrong = lock !== "passphrase" ? undefined : [...first].length < leastPassphrase ? "short" : first !== second ? "differs" : undefined;
  const make = async () => {
    setTried(true);
    if (wrong) return;
    const body: BackupInput = {
      ...(lock === "passphrase" ? { passphrase: first } : lock === "plain" ? { plain: true } : {}), ...(traffic ? { with_traffic: true } : {}),
    };
    if (!(await work.run(() => hub.api.post("/backups", body, { timeout: longest })))) return;
    toast({ tone: "ok", title: t("backups.made") });
    onMade();
    onClose();
  };
  return (
    <Dialog open onOpenChange={(open) => !open && !work.busy && onClose()} title={t("backups.make")} testId="make-backup">
      <form
        className="flex flex-col gap-4"
        onSubmit={(e) => {
          e.preventDefault();
          void make();
        }}
      >
        <Choice
          legend={t("backups.lock")}
          value={lock}
          onChange={setLock}
          options={(["passphrase", "recipients", "plain"] as const).map((value) => ({ value, label: t(`backups.lock.${value}`) }))}
        />
        {lock === "passphrase" ? (
          <>
            <TextField label={t("backups.passphrase")} hint={t("backups.passphrase.hint")} type="password" autoComplete="new-password" maxLength={1024} value={first} error={tried && wrong === "short" ? t("backups.passphrase.short") : undefined} onChange={(e) => setFirst(e.target.value)} />
            <TextField label={t("backups.passphrase.again")} type="password" autoComplete="new-password" maxLength={1024} value={second} error={tried && wrong === "differs" ? t("backups.passphrase.differs") : undefined} onChange={(e) => setSecond(e.target.value)} />
          </>
        ) : (
          <p className={lock === "plain" ? "text-sm text-warn" : "text-sm text-fg-muted"}>{t(`backups.${lock}.hint`)}</p>
        )}
        <CheckField label={t("backups.traffic")} hint={t("backups.traffic.hint")} checked={traffic} onChange={setTraffic} />
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        <DialogActions>
          <Button disabled={work.busy} onClick={onClose}>{t("dialog.cancel")}</Button>
          <Button type="submit" kind="primary" icon={Archive} busy={work.busy}>{t("backups.make")}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function Remove({ backup, onClose, onRemoved }: { backup: Backup; onClose: () => void; onRemoved: () => void }) {
  const t = useT(texts);
  const hub = useHub();
  const toast = useToast();
  const work = useWork();
  const remove = async () => {
    if (!(await work.run(() => hub.api.delete(`/backups/${encodeURIComponent(backup.name)}`)))) return;
    toast({ tone: "ok", title: t("backups.removed") });
    onRemoved();
    onClose();
  };
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={t("backups.remove.ask")} description={t("backups.remove.detail", { name: backup.name })} testId="remove-backup">
      {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      <DialogActions>
        <Button onClick={onClose}>{t("dialog.cancel")}</Button>
        <Button kind="danger" icon={Trash2} busy={work.busy} onClick={() => void remove()}>{t("backups.remove")}</Button>
      </DialogActions>
    </Dialog>
  );
}
