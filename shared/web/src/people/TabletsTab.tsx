import { Ban, LogOut, TabletSmartphone } from "lucide-react";
import { useState, type FormEvent } from "react";
import type { Collection } from "../live/collection";
import { useDerived, useKeys, useStatus } from "../live/hooks";
import { RelativeTime } from "../time/hooks";
import { Button } from "../ui/Button";
import { Section } from "../ui/Card";
import { DataView } from "../ui/DataView";
import { Dialog, DialogActions } from "../ui/Dialog";
import { TextField } from "../ui/Field";
import { Pill } from "../ui/Pill";
import { Skeletons } from "../ui/Skeleton";
import { useToast } from "../ui/Toasts";
import { viewStateOf } from "../ui/view-state";
import { useAction, useQuickAction } from "./action";
import { Confirm, FormFailure, RecordList, type RecordColumn } from "./parts";
import { useCanWrite, usePeople, usePeopleT, useProgram } from "./program";
import type { Tablet, User } from "./types";

const byName = (tablets: Collection<Tablet>) =>
  [...tablets.values()].sort((a, b) => Number(b.current) - Number(a.current) || a.name.localeCompare(b.name)).map((x) => x.tablet_id);
const enrolledHere = (tablets: Collection<Tablet>) => [...tablets.values()].some((x) => x.current);
const somebodyHasPin = (users: Collection<User>) => [...users.values()].some((u) => u.has_pin && !u.disabled);

/** Where the crew sign in with a PIN; and the way to make this browser such a place. */
export function TabletsTab() {
  const t = usePeopleT();
  const people = usePeople();
  const toast = useToast();
  const canWrite = useCanWrite();
  const { reach, retry } = useProgram();
  const ids = useKeys(people.tablets, byName);
  const status = useStatus(people.tablets);
  const here = useDerived(people.tablets, enrolledHere);
  const [enrolling, setEnrolling] = useState(false);
  const [revoking, setRevoking] = useState<Tablet>();
  const state = viewStateOf({ status, total: ids.length, shown: ids.length, reach });
  const enrol = (
    <Button kind="primary" icon={TabletSmartphone} disabled={!canWrite} onClick={() => setEnrolling(true)}>{t(here ? "tablets.enrol.again" : "tablets.enrol")}</Button>
  );
  const columns: RecordColumn<Tablet>[] = [
    {
      id: "name",
      header: t("tablets.col.name"),
      width: "minmax(12rem,2fr)",
      cell: (x) => (
        <span className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1 font-medium">
          {x.name}
          {x.current && <Pill tone="accent" icon={TabletSmartphone}>{t("tablets.this")}</Pill>}
        </span>
      ),
    },
    { id: "by", header: t("tablets.col.by"), width: "minmax(8rem,1fr)", cell: (x) => <span className="block truncate text-fg-muted">{x.enrolled_by}</span> },
    { id: "when", header: t("tablets.col.when"), width: "minmax(7rem,1fr)", cell: (x) => <RelativeTime at={x.created_at} className="text-fg-muted" /> },
    { id: "used", header: t("tablets.col.used"), width: "minmax(7rem,1fr)", cell: (x) => (x.used_at ? <RelativeTime at={x.used_at} className="text-fg-muted" /> : <span className="text-fg-dim">{t("tablets.never")}</span>) },
  ];
  return (
    <Section title={t("tablets.title")} note={t("tablets.lead")} actions={enrol}>
      <DataView
        state={state}
        quietLink
        onRetry={() => { retry(); people.load(); }}
        empty={{ title: t("tablets.empty"), detail: t("tablets.empty.detail"), action: enrol }}
        skeleton={<Skeletons count={2} itemClass="h-11" className="flex flex-col gap-3 p-4" />}
      >
        <RecordList
          label={t("tablets.title")}
          testId="tablets"
          items={ids.flatMap((id) => people.tablets.get(id) ?? [])}
          keyOf={(x) => x.tablet_id}
          columns={columns}
          attributes={(x) => ({ "data-tablet": x.name, "data-current": String(x.current) })}
          action={(x) => <Button icon={Ban} disabled={!canWrite} aria-label={t("tablets.revoke.label", { name: x.name })} onClick={() => setRevoking(x)}>{t("tablets.revoke")}</Button>}
        />
      </DataView>
      <EnrolDialog open={enrolling} again={here} onClose={() => setEnrolling(false)} />
      <Confirm
        open={revoking !== undefined}
        onClose={() => setRevoking(undefined)}
        title={t("tablets.revoke.title", { name: revoking?.name ?? "" })}
        detail={t("tablets.revoke.detail")}
        label={t("tablets.revoke.label", { name: revoking?.name ?? "" })}
        icon={Ban}
        work={() => people.revokeTablet(revoking!.tablet_id)}
        onDone={() => {
          toast({ tone: "ok", title: t("tablets.revoked", { name: revoking?.name ?? "" }) });
          setRevoking(undefined);
        }}
      />
    </Section>
  );
}

function EnrolDialog({ open, again, onClose }: { open: boolean; again: boolean; onClose: () => void }) {
  const t = usePeopleT();
  const [enrolled, setEnrolled] = useState<string>();
  const close = () => {
    setEnrolled(undefined);
    onClose();
  };
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => !next && close()}
      title={enrolled === undefined ? t("tablets.enrol") : t("tablets.enrolled", { name: enrolled })}
      description={enrolled === undefined ? <>{t("tablets.enrol.detail")} {again && t("tablets.enrol.again.detail")}</> : t("tablets.enrolled.detail")}
      testId="enrol-tablet"
    >
      {enrolled === undefined ? <EnrolForm onEnrolled={setEnrolled} onClose={close} /> : <Enrolled onClose={close} />}
    </Dialog>
  );
}

function EnrolForm({ onEnrolled, onClose }: { onEnrolled: (name: string) => void; onClose: () => void }) {
  const t = usePeopleT();
  const people = usePeople();
  const canWrite = useCanWrite();
  const { busy, failure, run } = useAction();
  const [name, setName] = useState("");
  const [tried, setTried] = useState(false);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (name.trim() === "") return;
    if (await run(() => people.enrolTablet(name.trim()))) onEnrolled(name.trim());
  };
  return (
    <form noValidate onSubmit={(e) => void submit(e)} className="flex flex-col gap-4">
      <TextField label={t("tablets.enrol.name")} hint={t("tablets.enrol.nameHint")} error={tried && name.trim() === "" ? t("tablets.enrol.nameMissing") : undefined} value={name} maxLength={128} autoComplete="off" onChange={(e) => setName(e.target.value)} />
      <FormFailure text={failure} />
      <DialogActions>
        <Button onClick={onClose}>{t("dialog.cancel")}</Button>
        <Button kind="primary" type="submit" icon={TabletSmartphone} busy={busy} disabled={!canWrite}>{busy ? t("tablets.enrol.doing") : t("tablets.enrol.do")}</Button>
      </DialogActions>
    </form>
  );
}

function Enrolled({ onClose }: { onClose: () => void }) {
  const t = usePeopleT();
  const people = usePeople();
  const { signOut } = useProgram();
  const quick = useQuickAction();
  const pins = useDerived(people.users, somebodyHasPin);
  return (
    <>
      {!pins && <p className="text-sm text-warn">{t("tablets.enrolled.noPin")}</p>}
      <DialogActions>
        <Button onClick={onClose}>{t("tablets.later")}</Button>
        <Button kind="primary" icon={LogOut} onClick={() => void quick(signOut, t("auth.signOut"))}>{t("tablets.signOut")}</Button>
      </DialogActions>
    </>
  );
}
