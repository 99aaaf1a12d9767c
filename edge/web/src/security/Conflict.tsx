import { Button, Dialog, DialogActions, useWork } from "@obedio/web";
import type { ReactNode } from "react";
import { useT } from "../context";
import { security } from "../messages/security";

export interface ConflictProps {
  open: boolean;
  /** The fields that differ, mine and theirs, in words. */
  rows: readonly { id: string; label: string; mine: ReactNode; theirs: ReactNode }[];
  onTakeTheirs: () => void;
  onOverwrite: () => Promise<boolean>;
  onKeepEditing: () => void;
}

/** Somebody else has saved meanwhile: theirs is shown beside mine, and a person decides. */
export function Conflict({ open, rows, onTakeTheirs, onOverwrite, onKeepEditing }: ConflictProps) {
  const t = useT(security);
  const work = useWork();
  return (
    <Dialog open={open} onOpenChange={(o) => !o && onKeepEditing()} title={t("conflict.title")} description={t("conflict.detail")} testId="conflict">
      {rows.length === 0 ? (
        <p className="text-sm">{t("conflict.same")}</p>
      ) : (
        <div className="flex flex-col divide-y divide-line rounded-control border border-line">
          {rows.map((r) => (
            <section key={r.id} aria-label={r.label} className="p-3">
              <h3 className="text-sm font-medium">{r.label}</h3>
              <dl className="mt-2 grid gap-3 sm:grid-cols-2">
                <div className="min-w-0"><dt className="text-xs text-fg-dim">{t("conflict.mine")}</dt><dd className="mt-0.5 text-xs">{r.mine}</dd></div>
                <div className="min-w-0"><dt className="text-xs text-fg-dim">{t("conflict.theirs")}</dt><dd className="mt-0.5 text-xs">{r.theirs}</dd></div>
              </dl>
            </section>
          ))}
        </div>
      )}
      <DialogActions>
        <Button kind="quiet" onClick={onKeepEditing}>{t("conflict.keep")}</Button>
        <Button kind="danger" busy={work.busy} onClick={() => void work.run(onOverwrite)}>{t("conflict.overwrite")}</Button>
        <Button kind="primary" onClick={onTakeTheirs}>{t("conflict.take")}</Button>
      </DialogActions>
    </Dialog>
  );
}
