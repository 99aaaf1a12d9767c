import { Button, CheckField, Choice, IconButton, ManyChoice, Section, TextField, deviceTypes, useKeys, useWords } from "@obedio/web";
import { useNavigate } from "@tanstack/react-router";
import { Plus, Trash2 } from "lucide-react";
import type { AclDocument, Profile, Rule } from "../api/resources";
import { usePermits, useT } from "../context";
import { useServerList } from "../lists";
import { security } from "../messages/security";
import { Conflict } from "./Conflict";
import { aclBodyOf, aclDraftOf, aclTrial, differences, retains, withRule, type AclDraft, type RoleDraft } from "./drafts";
import { EditorFrame, fieldError } from "./EditorFrame";
import { IdsField } from "./IdsField";
import { NumberField } from "./NumberField";
import { profileKey, profileNames } from "./profiles";
import { ReplayPanel } from "./ReplayPanel";
import { RuleRows, RuleTexts } from "./RuleRows";
import { TestPanel } from "./TestPanel";
import { useEditor } from "./useEditor";

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const blank: AclDraft = { id: "", roles: [{ rolename: "", priority: 0, acls: [] }], profiles: [], types: [], devices: [], replaces_profile: false, retain: "", max_qos: undefined };

export interface AclEditorProps {
  id: string | undefined;
  /** What a new document begins with. */
  begin?: AclDraft | undefined;
  /** A rule that a denial asks for: added to what is there. */
  rule?: Rule | undefined;
  /** Who is tested at first. */
  client?: string | undefined;
  action?: string | undefined;
  topic?: string | undefined;
}

/** Roles with rules, and whom they are for. */
export function AclEditor({ id, begin, rule, client, action, topic }: AclEditorProps) {
  const t = useT(security);
  const words = useWords();
  const navigate = useNavigate();
  const mayChange = usePermits("security.write");
  const editor = useEditor<AclDocument, AclDraft>({
    path: "/security/acl",
    id,
    draftOf: aclDraftOf,
    bodyOf: aclBodyOf,
    newBodyOf: (d) => ({ id: d.id, ...aclBodyOf(d) }),
    blank: begin ?? blank,
    ...(rule && id !== undefined ? { preset: (d) => withRule(d, rule) } : {}),
  });
  const { draft, theirs } = editor;
  const list = () => void navigate({ to: "/mqtt/security/acl", search: { tab: "rules" } });
  return (
    <>
      <EditorFrame
        editor={editor}
        title={id ?? t("acl.new")}
        tab="rules"
        incomplete={draft && whatIsMissing(draft, t)}
        removal={{ label: t("acl.remove"), detail: t("acl.remove.detail") }}
        onSaved={() => id === undefined && list()}
        onRemoved={list}
        form={(d) => (
          <>
            <Section title={id ?? t("acl.new")} note={t("acl.note")}>
              <fieldset disabled={!mayChange} className="flex flex-col gap-5 p-4">
                {id === undefined && (
                  <TextField
                    label={t("acl.id")} hint={t("acl.id.hint")} value={d.id} maxLength={64} autoFocus autoCapitalize="none" autoComplete="off" spellCheck={false}
                    onChange={(e) => {
                      const next = e.target.value.trim();
                      // The only role is called like its document until it is given a name.
                      const roles = d.roles.length === 1 && d.roles[0]!.rolename === d.id ? [{ ...d.roles[0]!, rolename: next }] : d.roles;
                      editor.set({ ...d, id: next, roles });
                    }}
                  />
                )}
                <ManyChoice legend={t("acl.types")} value={d.types} onChange={(types) => editor.set({ ...d, types })} options={deviceTypes.map((type) => ({ value: type, label: words.type(type) }))} />
                <Profiles value={d.profiles} onChange={(profiles) => editor.set({ ...d, profiles })} />
                <IdsField label={t("acl.devices")} hint={t("acl.devices.hint")} value={d.devices} error={fieldError(editor.work.error, "applies_to")} onChange={(devices) => editor.set({ ...d, devices })} />
                <CheckField label={t("acl.replaces_profile")} hint={t("acl.replaces_profile.hint")} checked={d.replaces_profile} onChange={(replaces_profile) => editor.set({ ...d, replaces_profile })} />
                {d.replaces_profile && (
                  <div className="grid gap-5 sm:grid-cols-2">
                    <Choice legend={t("acl.retain")} value={d.retain} onChange={(retain) => editor.set({ ...d, retain })} options={[{ value: "" as const, label: t("acl.asProfile") }, ...retains.map((r) => ({ value: r, label: t(`retain.${r}`) }))]} />
                    <Choice legend={t("acl.max_qos")} value={d.max_qos === undefined ? "" : String(d.max_qos)} onChange={(v) => editor.set({ ...d, max_qos: v === "" ? undefined : Number(v) })} options={[{ value: "", label: t("acl.asProfile") }, ...["0", "1", "2"].map((v) => ({ value: v, label: v }))]} />
                  </div>
                )}
              </fieldset>
            </Section>
            {d.roles.map((role, i) => (
              <RoleSection
                // A role is its place.
                // oxlint-disable-next-line react/no-array-index-key
                key={i}
                role={role}
                only={d.roles.length === 1}
                disabled={!mayChange}
                errors={(j) => fieldError(editor.work.error, `roles[${i}].acls[${j}]`)}
                onChange={(next) => editor.set({ ...d, roles: d.roles.map((r, j) => (j === i ? next : r)) })}
                onRemove={() => editor.set({ ...d, roles: d.roles.filter((_, j) => j !== i) })}
              />
            ))}
            {mayChange && <div><Button icon={Plus} onClick={() => editor.set({ ...d, roles: [...d.roles, { rolename: "", priority: 0, acls: [] }] })}>{t("role.add")}</Button></div>}
          </>
        )}
        side={(d) => (
          <>
            <ReplayPanel draft={aclTrial(d)} />
            <TestPanel draft={aclTrial(d)} client={client ?? d.devices[0]} profile={d.profiles[0]} action={action} topic={topic} />
          </>
        )}
      />
      {theirs && draft && (
        <Conflict
          open
          rows={differences(draft, aclDraftOf(theirs)).map((k) => ({
            id: k, label: t(`acl.${k}`), mine: <Value draft={draft} field={k} />, theirs: <Value draft={aclDraftOf(theirs)} field={k} />,
          }))}
          onTakeTheirs={editor.takeTheirs}
          onOverwrite={editor.overwrite}
          onKeepEditing={editor.keepEditing}
        />
      )}
    </>
  );
}

function whatIsMissing(d: AclDraft, t: ReturnType<typeof useT>): string | undefined {
  if (!idPattern.test(d.id)) return t("acl.id.wrong");
  if (d.roles.some((r) => r.rolename.trim() === "")) return t("role.name.missing");
  if (d.roles.some((r) => r.acls.some((a) => a.topic.trim() === ""))) return t("rules.incomplete");
  return undefined;
}

interface RoleSectionProps {
  role: RoleDraft;
  only: boolean;
  disabled: boolean;
  errors: (index: number) => string | undefined;
  onChange: (role: RoleDraft) => void;
  onRemove: () => void;
}

function RoleSection({ role, only, disabled, errors, onChange, onRemove }: RoleSectionProps) {
  const t = useT(security);
  const name = role.rolename || t("role.unnamed");
  return (
    <Section
      title={t("role.title", { name })}
      note={t("rules.order")}
      actions={!only && !disabled && <IconButton icon={Trash2} label={t("role.remove", { name })} onClick={onRemove} />}
    >
      <div className="flex flex-col gap-4 p-4">
        <fieldset disabled={disabled} className="grid gap-4 sm:grid-cols-[minmax(0,1fr)_9rem]">
          <TextField label={t("role.name")} value={role.rolename} maxLength={64} autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(e) => onChange({ ...role, rolename: e.target.value })} />
          <NumberField label={t("role.priority")} min={-1_000_000} value={role.priority} onChange={(n) => onChange({ ...role, priority: n ?? 0 })} />
        </fieldset>
        <RuleRows label={t("role.title", { name })} rules={role.acls} disabled={disabled} errors={errors} onChange={(acls) => onChange({ ...role, acls })} />
      </div>
    </Section>
  );
}

function Profiles({ value, onChange }: { value: string[]; onChange: (names: string[]) => void }) {
  const t = useT(security);
  const { list } = useServerList<Profile>("/security/profiles", profileKey, true);
  const names = useKeys(list, profileNames);
  const all = [...new Set([...names, ...value])];
  return <ManyChoice legend={t("acl.profiles.of")} value={value} options={all.map((name) => ({ value: name, label: name }))} onChange={onChange} />;
}

function Value({ draft, field }: { draft: AclDraft; field: keyof AclDraft }) {
  const t = useT(security);
  const value = draft[field];
  if (field === "roles") {
    return draft.roles.map((r) => (
      <span key={r.rolename} className="block">
        <span className="font-medium">{r.rolename}</span>
        <RuleTexts rules={r.acls} />
      </span>
    ));
  }
  if (Array.isArray(value)) return value.length === 0 ? t("value.none") : value.join(", ");
  if (typeof value === "boolean") return t(value ? "value.yes" : "value.no");
  return value === undefined || value === "" ? t("acl.asProfile") : String(value);
}
