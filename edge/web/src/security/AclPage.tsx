import { DataView, ErrorNote, Mark, Pill, Section, Skeletons, useKeys, useStatus, useVersion, viewStateOf, type Collection } from "@obedio/web";
import { Link, useSearch } from "@tanstack/react-router";
import { BadgeCheck, ChevronRight, Package, Plus, Replace } from "lucide-react";
import { useEffect, useState, type ReactNode } from "react";
import type { AclDocument, Profile } from "../api/resources";
import { usePermits, useReach, useT } from "../context";
import { useServerList } from "../lists";
import { security } from "../messages/security";
import { ButtonLink } from "../shell/ButtonLink";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { AclEditor } from "./AclEditor";
import { aclFor, ruleFor } from "./drafts";
import { ProfileEditor } from "./ProfileEditor";
import { aclIds, aclKey, profileKey, profileNames } from "./profiles";
import { SecurityNav } from "./SecurityNav";
import { TestPanel } from "./TestPanel";

/** What devices may do: profiles, documents of rules, and the question whether one may. */
export function AclPage() {
  const t = useT(security);
  return (
    <Page title={t("security.title")}>
      <SecurityNav />
      <Guard needs="security.read"><Content /></Guard>
    </Page>
  );
}

function Content() {
  const { profile, acl, add, client, action, topic } = useSearch({ from: "/mqtt/security/acl" });
  if (profile !== undefined) return <ProfileEditor key={profile} name={profile} />;
  if (acl !== undefined) return <AclEditor key={acl} id={acl} />;
  if (add === "profile") return <ProfileEditor key="+" name={undefined} />;
  if (add === "acl") return <AclEditor key="+" id={undefined} />;
  if (add === "rule" && client && action && topic) return <RuleForDenial client={client} action={action} topic={topic} />;
  return <Lists />;
}

/** The rule that a denial asks for, in the document of its device: a new one, or the one that is there. */
function RuleForDenial({ client, action, topic }: { client: string; action: string; topic: string }) {
  const { list, reload } = useServerList<AclDocument>("/security/acl", aclKey);
  const status = useStatus(list);
  // Decided once: what others do meanwhile is found by the ETag, or by the name.
  const [there, setThere] = useState<boolean>();
  useEffect(() => {
    if (status.phase === "ready") setThere((known) => known ?? list.get(client) !== undefined);
  }, [status, list, client]);
  if (status.phase === "failed") return <ErrorNote error={status.error} onRetry={reload} />;
  if (there === undefined) return <Skeletons count={2} itemClass="h-80" className="flex flex-col gap-5" />;
  const rule = ruleFor(action, topic);
  return <AclEditor id={there ? client : undefined} begin={aclFor(client, rule)} rule={rule} client={client} action={action} topic={topic} />;
}

function Lists() {
  const { tab = "profiles", client, action, topic } = useSearch({ from: "/mqtt/security/acl" });
  if (tab === "test") return <div className="mx-auto max-w-2xl"><TestPanel key={`${client} ${action} ${topic}`} client={client} action={action} topic={topic} /></div>;
  return tab === "rules" ? <Documents /> : <Profiles />;
}

function useListState<T>(list: Collection<T>) {
  useVersion(list);
  return viewStateOf({ status: useStatus(list), total: list.size, shown: list.size, reach: useReach() });
}

function Profiles() {
  const t = useT(security);
  const may = usePermits("security.write");
  const { list, reload } = useServerList<Profile>("/security/profiles", profileKey, true);
  const names = useKeys(list, profileNames);
  const state = useListState(list);
  return (
    <Section title={t("acl.profiles")} note={t("acl.profiles.note")} actions={may && <ButtonLink icon={Plus} to="/mqtt/security/acl" search={{ add: "profile" }}>{t("profile.add")}</ButtonLink>}>
      <DataView state={state} quietLink onRetry={reload} empty={{ title: t("acl.profiles.empty") }} skeleton={<RowSkeletons />}>
        <ul data-testid="profiles" className="divide-y divide-line">
          {names.map((name) => {
            const p = list.get(name);
            return p && (
              <Row key={name} search={{ profile: name }} title={name} marks={p.built_in ? <Mark tone="idle" icon={Package} className="text-xs">{t("profile.builtIn")}</Mark> : <Mark tone="accent" icon={BadgeCheck} className="text-xs">{t("profile.own")}</Mark>}>
                {t("profile.summary", { devices: p.devices, rules: p.acl_pattern?.length ?? 0, qos: p.max_qos, certificate: p.client_cert_required })}
              </Row>
            );
          })}
        </ul>
      </DataView>
    </Section>
  );
}

function Documents() {
  const t = useT(security);
  const may = usePermits("security.write");
  const { list, reload } = useServerList<AclDocument>("/security/acl", aclKey, true);
  const ids = useKeys(list, aclIds);
  const state = useListState(list);
  const add = may && <ButtonLink icon={Plus} to="/mqtt/security/acl" search={{ add: "acl" }}>{t("acl.add")}</ButtonLink>;
  return (
    <Section title={t("acl.rules")} note={t("acl.rules.note")} actions={state.kind !== "empty" && add}>
      <DataView state={state} quietLink onRetry={reload} empty={{ title: t("acl.rules.empty"), detail: t("acl.rules.empty.detail"), action: add }} skeleton={<RowSkeletons />}>
        <ul data-testid="acls" className="divide-y divide-line">
          {ids.map((id) => {
            const d = list.get(id);
            return d && (
              <Row key={id} search={{ acl: id }} title={id} marks={d.replaces_profile && <Pill tone="warn" icon={Replace}>{t("acl.replaces")}</Pill>}>
                {t("acl.summary", { rules: d.roles?.reduce((n, r) => n + (r.acls?.length ?? 0), 0) ?? 0, to: [...(d.applies_to?.profiles ?? []), ...(d.applies_to?.types ?? []), ...(d.applies_to?.devices ?? [])].join(", ") })}
              </Row>
            );
          })}
        </ul>
      </DataView>
    </Section>
  );
}

const RowSkeletons = () => <Skeletons count={4} itemClass="h-13" className="flex flex-col gap-2 p-4" />;

function Row({ search, title, marks, children }: { search: { profile: string } | { acl: string }; title: string; marks: ReactNode; children: ReactNode }) {
  return (
    <li>
      <Link to="/mqtt/security/acl" search={search} className="flex min-h-16 items-center gap-3 px-4 py-2 hover:bg-ink-800 in-last:rounded-b-card">
        <span className="min-w-0 flex-1">
          <span className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm font-medium">{title}{marks}</span>
          <span className="mt-0.5 block text-xs text-fg-muted">{children}</span>
        </span>
        <ChevronRight aria-hidden className="size-5 shrink-0 text-fg-dim" />
      </Link>
    </li>
  );
}
