import { KeySquare, TriangleAlert } from "lucide-react";
import { useState, type FormEvent } from "react";
import { useClock } from "../time/hooks";
import { Banner } from "../ui/Banner";
import { Button } from "../ui/Button";
import { CopyButton } from "../ui/CopyButton";
import { Dialog, DialogActions } from "../ui/Dialog";
import { Choice, SelectField, TextField } from "../ui/Field";
import { EffectiveAccess } from "./Access";
import { useAction } from "./action";
import { expiresAt, type Expiry } from "./expiry";
import { FormFailure, useRightName, useRoleName } from "./parts";
import { useCanWrite, usePeople, usePeopleT, useProgram, useRoles } from "./program";
import { groupRights } from "./rights";
import { SitesField } from "./SitesField";

/** Makes a token, then shows its secret: once, and until it is put away on purpose. */
export function TokenDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  const t = usePeopleT();
  const [secret, setSecret] = useState<string>();
  const close = () => {
    setSecret(undefined);
    onClose();
  };
  return (
    <Dialog
      open={open}
      // A touch beside it must not lose what cannot be shown again.
      onOpenChange={(next) => !next && secret === undefined && close()}
      title={secret === undefined ? t("token.title") : t("token.made")}
      testId="token-form"
    >
      {secret === undefined ? <TokenFields onMade={setSecret} onClose={close} /> : <Secret secret={secret} onKept={close} />}
    </Dialog>
  );
}

function TokenFields({ onMade, onClose }: { onMade: (secret: string) => void; onClose: () => void }) {
  const t = usePeopleT();
  const people = usePeople();
  const canWrite = useCanWrite();
  const clock = useClock();
  const roles = useRoles();
  const roleName = useRoleName();
  const { session } = useProgram();
  const { busy, failure, run } = useAction();
  const [name, setName] = useState("");
  const [roleChosen, setRole] = useState<string>();
  const role = roles.find((r) => r.role === (roleChosen ?? roles.at(-1)?.role));
  const [sites, setSites] = useState<string[]>(["*"]);
  const [narrow, setNarrow] = useState<"whole" | "some">("whole");
  const [scopes, setScopes] = useState<string[]>([]);
  const [expiry, setExpiry] = useState<Expiry>("90");
  const [date, setDate] = useState("");
  const [tried, setTried] = useState(false);
  const chosen = scopes.filter((s) => role?.permissions.includes(s));
  const ends = expiresAt(expiry, date, clock.now());
  const wrong = name.trim() === "" || (role?.by_site && sites.length === 0) || (narrow === "some" && chosen.length === 0) || ends === null;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (wrong || !role) return;
    await run(async () => {
      const made = await people.addToken({
        name: name.trim(),
        role: role.role,
        ...(role.by_site ? { sites } : {}),
        ...(narrow === "some" ? { scopes: chosen } : {}),
        ...(ends ? { expires_at: ends } : {}),
      });
      onMade(made.token);
    });
  };
  return (
    <form noValidate onSubmit={(e) => void submit(e)} className="flex flex-col gap-4">
      <TextField label={t("token.name")} hint={t("token.nameHint")} error={tried && name.trim() === "" ? t("token.nameMissing") : undefined} value={name} maxLength={128} autoComplete="off" onChange={(e) => setName(e.target.value)} />
      <SelectField label={t("person.role")} value={role?.role ?? session.user.role} options={roles.map((r) => ({ value: r.role, label: roleName(r.role) }))} onChange={(e) => setRole(e.target.value)} />
      {role?.by_site && <SitesField value={sites} onChange={setSites} error={tried && sites.length === 0 ? t("sites.missing") : undefined} />}
      <Choice legend={t("token.rights")} value={narrow} options={[{ value: "whole", label: t("token.rights.whole") }, { value: "some", label: t("token.rights.some") }]} onChange={setNarrow} />
      {narrow === "some" && role && (
        <ScopeField rights={role.permissions} value={chosen} onChange={setScopes} error={tried && chosen.length === 0 ? t("token.rights.missing") : undefined} />
      )}
      {role && <EffectiveAccess role={role.role} {...(role.by_site ? { sites } : {})} {...(narrow === "some" ? { scopes: chosen } : {})} />}
      <SelectField
        label={t("token.expiry")}
        value={expiry}
        {...(expiry === "never" ? { hint: t("token.expiry.neverHint") } : {})}
        options={[
          { value: "30", label: t("token.expiry.days", { n: 30 }) },
          { value: "90", label: t("token.expiry.days", { n: 90 }) },
          { value: "365", label: t("token.expiry.year") },
          { value: "date", label: t("token.expiry.date") },
          { value: "never", label: t("token.expiry.never") },
        ]}
        onChange={(e) => setExpiry(e.target.value as Expiry)}
      />
      {expiry === "date" && (
        <TextField label={t("token.expiry.day")} type="date" value={date} onChange={(e) => setDate(e.target.value)} error={tried && ends === null ? t("token.expiry.past") : undefined} />
      )}
      <FormFailure text={failure} />
      <DialogActions>
        <Button onClick={onClose}>{t("dialog.cancel")}</Button>
        <Button kind="primary" type="submit" icon={KeySquare} busy={busy} disabled={!canWrite}>{busy ? t("token.making") : t("token.make")}</Button>
      </DialogActions>
    </form>
  );
}

function ScopeField({ rights, value, onChange, error }: { rights: readonly string[]; value: readonly string[]; onChange: (next: string[]) => void; error?: string | undefined }) {
  const t = usePeopleT();
  const rightName = useRightName();
  return (
    <fieldset className="rounded-control border border-line p-4">
      <legend className="sr-only">{t("token.rights")}</legend>
      <p className="text-xs text-fg-dim">{t("token.rights.chosen", { n: value.length, of: rights.length })}</p>
      <div className="mt-3 flex flex-col gap-4">
        {groupRights(rights).map(({ group, rights: names }) => (
          <div key={group}>
            <p className="text-xs text-fg-dim">{t(`group.${group}`)}</p>
            {names.map((right) => (
              <label key={right} className="flex min-h-control cursor-pointer items-center gap-3 text-sm">
                <input
                  type="checkbox"
                  checked={value.includes(right)}
                  onChange={(e) => onChange(e.target.checked ? [...value, right] : value.filter((r) => r !== right))}
                  className="size-5 shrink-0 accent-accent"
                />
                {rightName(right)}
              </label>
            ))}
          </div>
        ))}
      </div>
      {error && <p role="status" className="mt-2 text-xs text-bad">{error}</p>}
    </fieldset>
  );
}

function Secret({ secret, onKept }: { secret: string; onKept: () => void }) {
  const t = usePeopleT();
  const { api } = useProgram();
  const command = `curl -H "Authorization: Bearer $TOKEN" ${new URL(api.url("/sessions/current"), location.href).href}`;
  return (
    <div className="flex flex-col gap-4">
      <Banner tone="warn" icon={TriangleAlert} title={t("token.once")} />
      <div className="flex flex-wrap items-center gap-3">
        <code data-testid="token-secret" aria-label={t("token.secret")} className="min-w-0 flex-1 basis-64 rounded-control bg-ink-900 px-3 py-2 font-mono text-xs break-all select-all">{secret}</code>
        <CopyButton text={secret} />
      </div>
      <div>
        <p className="text-sm">{t("token.try")}</p>
        <code className="mt-2 block rounded-control bg-ink-900 px-3 py-2 font-mono text-xs break-all">{command}</code>
      </div>
      <DialogActions>
        <Button kind="primary" onClick={onKept}>{t("token.kept")}</Button>
      </DialogActions>
    </div>
  );
}
