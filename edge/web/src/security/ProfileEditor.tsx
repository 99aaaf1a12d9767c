import { CheckField, Choice, ManyChoice, Section, TextField, useKeys } from "@obedio/web";
import { useNavigate } from "@tanstack/react-router";
import type { AclDocument, Profile } from "../api/resources";
import { usePermits, useT } from "../context";
import { useServerList } from "../lists";
import { security } from "../messages/security";
import { Conflict } from "./Conflict";
import { differences, newProfile, profileBodyOf, profileDraftOf, profileTrial, retains, type ProfileDraft } from "./drafts";
import { EditorFrame, fieldError } from "./EditorFrame";
import { IdsField } from "./IdsField";
import { NumberField } from "./NumberField";
import { aclIds, aclKey } from "./profiles";
import { ReplayPanel } from "./ReplayPanel";
import { RuleRows, RuleTexts } from "./RuleRows";
import { TestPanel } from "./TestPanel";
import { useEditor } from "./useEditor";

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** What a class of devices may do on the broker. */
export function ProfileEditor({ name }: { name: string | undefined }) {
  const t = useT(security);
  const navigate = useNavigate();
  const mayChange = usePermits("security.write");
  const editor = useEditor<Profile, ProfileDraft>({
    path: "/security/profiles",
    id: name,
    draftOf: profileDraftOf,
    bodyOf: profileBodyOf,
    newBodyOf: (d) => ({ profile_name: d.profile_name, ...profileBodyOf(d) }),
    blank: newProfile,
  });
  const { draft, view, theirs } = editor;
  const list = () => void navigate({ to: "/mqtt/security/acl", search: { tab: "profiles" } });
  const incomplete = draft === undefined ? undefined : !idPattern.test(draft.profile_name) ? t("profile.name.wrong") : draft.acl_pattern.some((r) => r.topic.trim() === "") ? t("rules.incomplete") : undefined;
  const removal = view === undefined ? undefined
    : view.version > 0 && !view.built_in && builtIn.includes(view.profile_name) ? { label: t("profile.restore"), detail: t("profile.restore.detail") }
    : view.built_in ? undefined
    : { label: t("profile.remove"), detail: t("profile.remove.detail", { n: view.devices }) };
  return (
    <>
      <EditorFrame
        editor={editor}
        title={name ?? t("profile.new")}
        tab="profiles"
        incomplete={incomplete}
        removal={removal}
        onSaved={() => name === undefined && list()}
        onRemoved={list}
        form={(d) => (
          <>
            <Section title={name ?? t("profile.new")} note={view && t("profile.devices", { n: view.devices })}>
              <fieldset disabled={!mayChange} className="flex flex-col gap-5 p-4">
                {name === undefined && (
                  <TextField label={t("profile.name")} hint={t("profile.name.hint")} value={d.profile_name} maxLength={64} autoFocus autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(e) => editor.set({ ...d, profile_name: e.target.value.trim() })} />
                )}
                <div className="grid gap-x-6 gap-y-5 sm:grid-cols-2">
                  <Choice legend={t("profile.max_qos")} value={String(d.max_qos)} onChange={(v) => editor.set({ ...d, max_qos: Number(v) })} options={["0", "1", "2"].map((v) => ({ value: v, label: v }))} />
                  <NumberField label={t("profile.max_connections")} value={d.max_connections} min={1} onChange={(n) => editor.set({ ...d, max_connections: n ?? 1 })} error={fieldError(editor.work.error, "max_connections")} />
                  <CheckField label={t("profile.client_cert_required")} hint={t("profile.client_cert_required.hint")} checked={d.client_cert_required} onChange={(v) => editor.set({ ...d, client_cert_required: v })} />
                  <CheckField label={t("profile.sign_messages")} hint={t("profile.sign_messages.hint")} checked={d.sign_messages} onChange={(v) => editor.set({ ...d, sign_messages: v })} />
                </div>
                <Choice legend={t("profile.retain")} value={d.retain} onChange={(v) => editor.set({ ...d, retain: v })} options={retains.map((r) => ({ value: r, label: t(`retain.${r}`) }))} />
                <div className="grid gap-x-6 gap-y-5 sm:grid-cols-3">
                  <NumberField label={t("profile.messages_per_second")} hint={t("profile.rate.hint")} value={d.messages_per_second} min={0} step="any" onChange={(n) => editor.set({ ...d, messages_per_second: n })} error={fieldError(editor.work.error, "rate")} />
                  <NumberField label={t("profile.bytes_per_second")} hint={t("profile.rate.hint")} value={d.bytes_per_second} min={0} step="any" onChange={(n) => editor.set({ ...d, bytes_per_second: n })} />
                  <NumberField label={t("profile.reporting_interval_s")} hint={t("profile.interval.hint")} value={d.reporting_interval_s} min={1} onChange={(n) => editor.set({ ...d, reporting_interval_s: n })} error={fieldError(editor.work.error, "reporting_interval_s")} />
                </div>
                <Roles value={d.roles} onChange={(roles) => editor.set({ ...d, roles })} />
                <IdsField label={t("profile.relay")} hint={t("profile.relay.hint")} value={d.relay} onChange={(relay) => editor.set({ ...d, relay })} error={fieldError(editor.work.error, "relay")} />
              </fieldset>
            </Section>
            <Section title={t("profile.acl_pattern")} note={t("profile.acl_pattern.note")}>
              <div className="p-4">
                <RuleRows label={t("profile.acl_pattern")} rules={d.acl_pattern} disabled={!mayChange} errors={(i) => fieldError(editor.work.error, `acl_pattern[${i}]`)} onChange={(acl_pattern) => editor.set({ ...d, acl_pattern })} />
              </div>
            </Section>
          </>
        )}
        side={(d) => (
          <>
            <ReplayPanel draft={profileTrial(d)} />
            <TestPanel draft={profileTrial(d)} profile={d.profile_name} />
          </>
        )}
      />
      {theirs && draft && (
        <Conflict
          open
          rows={differences(draft, profileDraftOf(theirs)).map((k) => ({
            id: k, label: t(`profile.${k as "max_qos"}`), mine: <Value draft={draft} field={k} />, theirs: <Value draft={profileDraftOf(theirs)} field={k} />,
          }))}
          onTakeTheirs={editor.takeTheirs}
          onOverwrite={editor.overwrite}
          onKeepEditing={editor.keepEditing}
        />
      )}
    </>
  );
}

/** The program's own profiles, which come back when what replaces them is removed. */
const builtIn = ["button", "watch", "repeater", "sensor"];

function Value({ draft, field }: { draft: ProfileDraft; field: keyof ProfileDraft }) {
  const t = useT(security);
  const value = draft[field];
  if (field === "acl_pattern") {
    return draft.acl_pattern.length === 0 ? t("value.none") : <RuleTexts rules={draft.acl_pattern} />;
  }
  if (field === "retain") return t(`retain.${draft.retain}`);
  if (Array.isArray(value)) return value.length === 0 ? t("value.none") : value.join(", ");
  if (typeof value === "boolean") return t(value ? "value.yes" : "value.no");
  return value === undefined || value === "" ? t("value.default") : String(value);
}

function Roles({ value, onChange }: { value: string[]; onChange: (ids: string[]) => void }) {
  const t = useT(security);
  const { list } = useServerList<AclDocument>("/security/acl", aclKey, true);
  const ids = useKeys(list, aclIds);
  const all = [...new Set([...ids, ...value])];
  if (all.length === 0) return null;
  return <ManyChoice legend={t("profile.roles")} hint={t("profile.roles.hint")} value={value} options={all.map((id) => ({ value: id, label: id }))} onChange={onChange} />;
}
