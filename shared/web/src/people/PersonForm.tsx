import { CircleOff, History, KeyRound, RotateCcw, Save, Trash2, UserPlus } from "lucide-react";
import { useState, type FormEvent, type ReactNode } from "react";
import { ApiError } from "../api/problem";
import { shortestPassword } from "../auth/FirstRun";
import { useItem } from "../live/hooks";
import { RelativeTime } from "../time/hooks";
import { Banner } from "../ui/Banner";
import { Button } from "../ui/Button";
import { Dialog, DialogActions } from "../ui/Dialog";
import { SelectField, TextField } from "../ui/Field";
import { useToast } from "../ui/Toasts";
import { EffectiveAccess } from "./Access";
import { useAction, useQuickAction } from "./action";
import { changeOf, rebase, type Clash } from "./merge";
import { ConfirmActions, FormFailure, RolePill, UserState, hostOf, useRoleName, useSitesText } from "./parts";
import { useCanWrite, useMay, usePeople, usePeopleT, useProgram, useRoles } from "./program";
import { NewPasswordField, PasswordFields, PinFields } from "./SecretForms";
import { SitesField } from "./SitesField";
import type { User, UserChange } from "./types";

interface RightsValue {
  role: string;
  sites?: string[];
}

/** Role and sites, and what they come to. */
function RightsFields({ value, onChange, tried, locked }: { value: RightsValue; onChange: (next: RightsValue) => void; tried: boolean; locked?: string | undefined }) {
  const t = usePeopleT();
  const roleName = useRoleName();
  const roles = useRoles();
  const bySite = roles.find((r) => r.role === value.role)?.by_site ?? value.sites !== undefined;
  const names = roles.some((r) => r.role === value.role) ? roles.map((r) => r.role) : [value.role, ...roles.map((r) => r.role)];
  return (
    <>
      <SelectField
        label={t("person.role")}
        {...(locked === undefined ? {} : { hint: locked })}
        disabled={locked !== undefined}
        value={value.role}
        options={names.map((role) => ({ value: role, label: roleName(role) }))}
        onChange={(e) => {
          const role = e.target.value;
          onChange(roles.find((r) => r.role === role)?.by_site ? { role, sites: value.sites ?? [] } : { role });
        }}
      />
      {bySite && locked === undefined && (
        <SitesField value={value.sites ?? []} onChange={(sites) => onChange({ ...value, sites })} error={tried && !value.sites?.length ? t("sites.missing") : undefined} />
      )}
      <EffectiveAccess role={value.role} sites={value.sites} />
    </>
  );
}

function lacksSites(roles: readonly { role: string; by_site: boolean }[], value: RightsValue): boolean {
  return (roles.find((r) => r.role === value.role)?.by_site ?? false) && !value.sites?.length;
}

/** The form of somebody new. */
export function AddPerson({ open, onClose }: { open: boolean; onClose: () => void }) {
  const t = usePeopleT();
  return (
    <Dialog open={open} onOpenChange={(next) => !next && onClose()} title={t("person.new")} testId="add-person">
      <AddFields onClose={onClose} />
    </Dialog>
  );
}

function AddFields({ onClose }: { onClose: () => void }) {
  const t = usePeopleT();
  const people = usePeople();
  const toast = useToast();
  const canWrite = useCanWrite();
  const roles = useRoles();
  const { busy, failure, run } = useAction();
  const [username, setUsername] = useState("");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  // Most people who are added answer calls, or look.
  const [chosen, setChosen] = useState<RightsValue>();
  const usual = roles.find((r) => r.role === "crew") ?? roles.at(-1);
  const rights: RightsValue = chosen ?? { role: usual?.role ?? "viewer", ...(usual?.by_site ? { sites: [] } : {}) };
  const [tried, setTried] = useState(false);
  const short = password.length < shortestPassword;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (username.trim() === "" || short || lacksSites(roles, rights)) return;
    const ok = await run(() => people.addUser({ username: username.trim(), ...(name.trim() ? { name: name.trim() } : {}), password, ...rights }));
    if (!ok) return;
    toast({ tone: "ok", title: t("person.created", { name: name.trim() || username.trim() }) });
    onClose();
  };
  return (
    <form noValidate onSubmit={(e) => void submit(e)} className="flex flex-col gap-4">
      <TextField label={t("person.username")} hint={t("person.usernameHint")} error={tried && username.trim() === "" ? t("person.usernameMissing") : undefined} value={username} maxLength={64} autoComplete="off" autoCapitalize="none" spellCheck={false} onChange={(e) => setUsername(e.target.value)} />
      <TextField label={t("person.name")} hint={t("person.nameHint")} value={name} maxLength={128} autoComplete="off" onChange={(e) => setName(e.target.value)} />
      <NewPasswordField value={password} onChange={setPassword} suggest error={tried && short ? t("auth.setup.passwordShort") : undefined} />
      <RightsFields value={rights} onChange={setChosen} tried={tried} />
      <FormFailure text={failure} />
      <DialogActions>
        <Button onClick={onClose}>{t("dialog.cancel")}</Button>
        <Button kind="primary" type="submit" icon={UserPlus} busy={busy} disabled={!canWrite}>{busy ? t("person.creating") : t("person.create")}</Button>
      </DialogActions>
    </form>
  );
}

/** What the dialog about somebody shows: one thing at a time, since a dialog above a dialog hides what it is about. */
type Step = "person" | "password" | "pin" | "delete";

/** All about somebody: rights, secrets, and the ways out. */
export function PersonDialog({ id, onClose }: { id: string | undefined; onClose: () => void }) {
  const t = usePeopleT();
  const people = usePeople();
  const { session } = useProgram();
  const user = useItem(people.users, id ?? "");
  const [step, setStep] = useState<Step>("person");
  const close = () => {
    setStep("person");
    onClose();
  };
  if (!user) return <Dialog open={false} onOpenChange={close} title="">{null}</Dialog>;
  const own = session.user.user_id === user.user_id;
  const back = () => setStep("person");
  const heads: Record<Step, { title: string; description: ReactNode }> = {
    person: { title: user.name, description: <span className="flex flex-wrap items-center gap-x-3 gap-y-1"><span>{user.username}</span><RolePill role={user.role} /><UserState user={user} /></span> },
    password: { title: own ? t("password.change") : t("password.title", { name: user.name }), description: own ? t("password.ownEnds") : t("password.others") },
    pin: { title: own ? t("pin.own") : t("pin.title", { name: user.name }), description: t("pin.ends") },
    delete: { title: t("person.delete.title", { name: user.name }), description: <>{t("person.delete.detail")} {user.issuer && t("person.delete.external")}</> },
  };
  return (
    <Dialog open onOpenChange={(next) => !next && close()} {...heads[step]} testId="person">
      {/* Kept while another step is shown: what is typed there is not lost. */}
      <div hidden={step !== "person"}><Person key={user.user_id} user={user} onStep={setStep} /></div>
      {step === "password" && <div data-testid="password-form"><PasswordFields onClose={back} owner={user} own={own} /></div>}
      {step === "pin" && <div data-testid="pin-form"><PinFields onClose={back} owner={user} own={own} /></div>}
      {step === "delete" && <DeletePerson user={user} onClose={back} onDeleted={close} />}
    </Dialog>
  );
}

function Person({ user, onStep }: { user: User; onStep: (step: Step) => void }) {
  const t = usePeopleT();
  const mayWrite = useMay("users.write");
  return (
    <div className="flex flex-col gap-6">
      {mayWrite ? <ChangeForm user={user} /> : (
        <div className="flex flex-col gap-3">
          <EffectiveAccess role={user.role} sites={user.sites} />
          <p className="text-xs text-fg-dim">{t("person.read")}</p>
        </div>
      )}
      <SignInPart user={user} onStep={onStep} />
      {mayWrite && <LeavePart user={user} onStep={onStep} />}
      <p className="text-xs text-fg-dim">
        {t("person.since")} <RelativeTime at={user.created_at} /> · {t("person.changed")} <RelativeTime at={user.updated_at} />
      </p>
    </div>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="flex flex-col gap-3 border-t border-line pt-4">
      <h3 className="text-sm font-semibold">{title}</h3>
      {children}
    </section>
  );
}

function ChangeForm({ user }: { user: User }) {
  const t = usePeopleT();
  const people = usePeople();
  const toast = useToast();
  const canWrite = useCanWrite();
  const roles = useRoles();
  const { busy, failure, run } = useAction();
  // What the form is based on: changes elsewhere do not move what somebody types.
  const [base, setBase] = useState({ etag: user.etag, change: changeOf(user) });
  const [form, setForm] = useState(base.change);
  const [clashes, setClashes] = useState<Clash[]>([]);
  const [tried, setTried] = useState(false);
  const noName = form.name.trim() === "";
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (noName || lacksSites(roles, form)) return;
    // Disabling has a button of its own, and may have happened since.
    const wanted: UserChange = { ...form, name: form.name.trim(), disabled: user.disabled };
    let changed: User | undefined;
    const ok = await run(
      async () => {
        let from = base;
        let mine = wanted;
        for (;;) {
          try {
            changed = await people.changeUser(user.user_id, from.etag, mine);
            return;
          } catch (error) {
            if (!(error instanceof ApiError) || error.status !== 412) throw error;
          }
          const now = await people.user(user.user_id);
          const merged = rebase(from.change, mine, changeOf(now));
          from = { etag: now.etag, change: changeOf(now) };
          mine = merged.form;
          setBase(from);
          setForm(mine);
          setClashes(merged.clashes);
          // A new password is another version, and nothing to look at here.
          if (merged.clashes.length > 0) return;
        }
      },
      (error) => (error.status === 404 ? t("clash.gone") : undefined),
    );
    if (!ok || !changed) return;
    setBase({ etag: changed.etag, change: changeOf(changed) });
    setClashes([]);
    toast({ tone: "ok", title: t("person.saved", { name: changed.name }) });
  };
  return (
    <form noValidate onSubmit={(e) => void submit(e)} className="flex flex-col gap-4" data-testid="change-person">
      {clashes.length > 0 && <ClashNote clashes={clashes} onTake={() => { setForm(base.change); setClashes([]); }} />}
      <TextField label={t("person.name")} hint={t("person.nameHint")} error={tried && noName ? t("person.nameMissing") : undefined} value={form.name} maxLength={128} autoComplete="off" onChange={(e) => setForm({ ...form, name: e.target.value })} />
      <RightsFields
        value={form}
        onChange={({ role, sites }) => setForm({ name: form.name, disabled: form.disabled, role, ...(sites ? { sites } : {}) })}
        tried={tried}
        locked={user.issuer ? t("person.roleExternal", { host: hostOf(user.issuer) }) : undefined}
      />
      <FormFailure text={failure} />
      <div className="flex justify-end">
        <Button kind="primary" type="submit" icon={Save} busy={busy} disabled={!canWrite}>{busy ? t("person.saving") : t("person.save")}</Button>
      </div>
    </form>
  );
}

function ClashNote({ clashes, onTake }: { clashes: readonly Clash[]; onTake: () => void }) {
  const t = usePeopleT();
  const roleName = useRoleName();
  const sitesText = useSitesText();
  const names = { name: t("person.name"), role: t("person.role"), sites: t("sites.legend"), disabled: t("people.col.state") };
  const words = (field: Clash["field"], value: Clash["theirs"]) => {
    if (field === "role") return roleName(String(value));
    if (field === "sites") return sitesText(value as string[] | undefined);
    if (field === "disabled") return t(value ? "people.disabled" : "people.active");
    return String(value);
  };
  return (
    <Banner
      testId="clash"
      tone="warn"
      icon={History}
      title={t("clash.title")}
      actions={clashes.some((c) => c.mine !== undefined) && <Button onClick={onTake}>{t("clash.take")}</Button>}
    >
      <p>{t("clash.detail")}</p>
      <ul className="mt-1">
        {clashes.map(({ field, theirs, mine }) => (
          <li key={field}>
            {mine === undefined
              ? t("clash.theirs", { field: names[field], value: words(field, theirs) })
              : t("clash.both", { field: names[field], value: words(field, theirs), mine: words(field, mine) })}
          </li>
        ))}
      </ul>
    </Banner>
  );
}

function SignInPart({ user, onStep }: { user: User; onStep: (step: Step) => void }) {
  const t = usePeopleT();
  const people = usePeople();
  const quick = useQuickAction();
  const canWrite = useCanWrite();
  const { kind } = useProgram();
  const mayWrite = useMay("users.write");
  const mayPin = useMay("crew.write") && kind === "hub";
  if (!mayWrite && !mayPin) return null;
  return (
    <Part title={t("person.section.signIn")}>
      {user.issuer && <p className="text-sm text-fg-muted">{t("person.external", { host: hostOf(user.issuer) })}</p>}
      {mayPin && <p className="text-sm text-fg-muted">{user.role === "crew" ? t(user.has_pin ? "person.pin.yes" : "person.pin.no") : t("person.pin.role")}</p>}
      <div className="flex flex-wrap gap-3">
        {mayWrite && !user.issuer && <Button icon={KeyRound} disabled={!canWrite} onClick={() => onStep("password")}>{t("person.setPassword")}</Button>}
        {mayPin && user.role === "crew" && (
          <Button icon={KeyRound} disabled={!canWrite} onClick={() => onStep("pin")}>{t(user.has_pin ? "person.changePin" : "person.setPin")}</Button>
        )}
        {mayPin && user.has_pin && (
          <Button kind="quiet" disabled={!canWrite} onClick={() => void quick(() => people.removePin(user.user_id), t("person.pinRemoved", { name: user.name }))}>
            {t("person.removePin")}
          </Button>
        )}
      </div>
    </Part>
  );
}

function LeavePart({ user, onStep }: { user: User; onStep: (step: Step) => void }) {
  const t = usePeopleT();
  const people = usePeople();
  const quick = useQuickAction();
  const canWrite = useCanWrite();
  const set = (disabled: boolean) =>
    void quick(
      () => people.setDisabled(user.user_id, disabled),
      t(disabled ? "person.wasDisabled" : "person.wasEnabled", { name: user.name }),
    );
  return (
    <Part title={t("person.section.leave")}>
      <p className="text-sm text-fg-muted">{t(user.disabled ? "person.enable.detail" : "person.disable.detail")}</p>
      <div className="flex flex-wrap gap-3">
        {user.disabled
          ? <Button icon={RotateCcw} disabled={!canWrite} onClick={() => set(false)}>{t("person.enable")}</Button>
          : <Button icon={CircleOff} disabled={!canWrite} onClick={() => set(true)}>{t("person.disable")}</Button>}
        <Button kind="danger" icon={Trash2} disabled={!canWrite} onClick={() => onStep("delete")}>{t("person.delete")}</Button>
      </div>
    </Part>
  );
}

function DeletePerson({ user, onClose, onDeleted }: { user: User; onClose: () => void; onDeleted: () => void }) {
  const t = usePeopleT();
  const people = usePeople();
  const toast = useToast();
  return (
    <div data-testid="confirm">
      <ConfirmActions
        onClose={onClose}
        label={t("person.delete.do", { name: user.name })}
        icon={Trash2}
        work={() => people.removeUser(user.user_id)}
        onDone={() => {
          toast({ tone: "ok", title: t("person.deleted", { name: user.name }) });
          onDeleted();
        }}
      />
    </div>
  );
}
