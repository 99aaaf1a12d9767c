import { useState } from "react";
import { useStatus } from "../live/hooks";
import { Section } from "../ui/Card";
import { Choice } from "../ui/Field";
import { DataView } from "../ui/DataView";
import { Skeletons } from "../ui/Skeleton";
import { RightsList } from "./Access";
import { useRoleName, useRoleSummary } from "./parts";
import { usePeople, usePeopleT, useProgram, useRoles } from "./program";
import { allRights } from "./rights";

/** What a role may do and what not, in words. */
export function RolesTab() {
  const t = usePeopleT();
  const roles = useRoles();
  const roleName = useRoleName();
  const roleSummary = useRoleSummary();
  const people = usePeople();
  const { session, reach, retry } = useProgram();
  const failed = useStatus(people.ownSessions).phase === "failed";
  const [chosen, setChosen] = useState(session.user.role);
  const role = roles.find((r) => r.role === chosen) ?? roles[0];
  return (
    <Section title={t("roles.title")}>
      <DataView
        state={role ? reach : reach.kind === "offline" ? reach : failed ? { kind: "error", error: people.ownSessions.status.error } : { kind: "loading" }}
        quietLink
        onRetry={() => { retry(); people.load(); }}
        empty={{ title: t("roles.title") }}
        skeleton={<Skeletons count={1} itemClass="h-64" className="p-4" />}
      >
        {role && (
          <div className="flex flex-col gap-5 p-4" data-testid="roles">
            <Choice legend={t("roles.choose")} value={role.role} options={roles.map((r) => ({ value: r.role, label: roleName(r.role) }))} onChange={setChosen} />
            <div className="max-w-prose text-sm text-fg-muted">
              <p>{roleSummary(role.role)}</p>
              {role.by_site && <p className="mt-1">{t("roles.bySite")}</p>}
              {role.administrator && <p className="mt-1">{t("roles.last")}</p>}
            </div>
            <RightsList may={role.permissions} all={allRights(roles)} />
          </div>
        )}
      </DataView>
    </Section>
  );
}
