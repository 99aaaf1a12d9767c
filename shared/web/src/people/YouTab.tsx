import { KeyRound } from "lucide-react";
import { useState } from "react";
import { RelativeTime } from "../time/hooks";
import { Button } from "../ui/Button";
import { Facts, Section } from "../ui/Card";
import { RightsList } from "./Access";
import { RolePill, useRoleSummary, useSitesText } from "./parts";
import { useCanWrite, usePeopleT, useProgram, useRoles } from "./program";
import { allRights } from "./rights";
import { PasswordForm, PinForm } from "./SecretForms";
import { SessionList } from "./SessionsTab";

/** Oneself: who, where, and what one may do. */
export function YouTab() {
  const t = usePeopleT();
  const { session, kind } = useProgram();
  const { user } = session;
  const canWrite = useCanWrite();
  const sitesText = useSitesText();
  const summary = useRoleSummary()(user.role);
  const roles = useRoles();
  const [form, setForm] = useState<"password" | "pin">();
  const owner = { user_id: user.user_id, name: user.name || user.username };
  const close = () => setForm(undefined);
  return (
    <div className="flex flex-col gap-5">
      <Section
        title={t("you.who")}
        testId="you"
        actions={
          <>
            {kind === "hub" && user.role === "crew" && <Button icon={KeyRound} disabled={!canWrite} onClick={() => setForm("pin")}>{t("pin.own")}</Button>}
            <Button icon={KeyRound} disabled={!canWrite} onClick={() => setForm("password")}>{t("password.change")}</Button>
          </>
        }
      >
        <Facts
          items={[
            { label: t("person.name"), value: <span className="font-medium">{owner.name}</span> },
            { label: t("you.username"), value: user.username },
            { label: t("person.role"), value: <RolePill role={user.role} /> },
            ...(user.sites ? [{ label: t("sites.legend"), value: sitesText(user.sites) }] : []),
            { label: t("you.until"), value: <RelativeTime at={session.expires_at} /> },
          ]}
        />
      </Section>
      <Section title={t("you.sessions")}><SessionList all={false} /></Section>
      <Section title={t("you.may")}>
        <div className="flex flex-col gap-4 p-4">
          {summary && <p className="text-sm text-fg-muted">{summary}</p>}
          <RightsList may={session.permissions} all={roles.length > 0 ? allRights(roles) : session.permissions} />
        </div>
      </Section>
      <PasswordForm open={form === "password"} onClose={close} owner={owner} own />
      <PinForm open={form === "pin"} onClose={close} owner={owner} own />
    </div>
  );
}
