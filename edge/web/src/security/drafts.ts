import type { AclBody, AclDocument, DraftPolicy, Profile, ProfileBody, Rule } from "../api/resources";

/** The kinds of rules, in the order in which people think of them. */
export const ruleKinds = [
  "publishClientSend", "publishClientReceive", "subscribePattern", "subscribeLiteral", "unsubscribePattern", "unsubscribeLiteral",
] as const;
export type RuleKind = (typeof ruleKinds)[number];

export const retains = ["nothing", "status", "anything"] as const;
export type Retain = (typeof retains)[number];

/** A profile as it is edited: every field has a value; undefined is "as the hub sees fit". */
export interface ProfileDraft {
  profile_name: string;
  roles: string[];
  acl_pattern: Rule[];
  max_qos: number;
  max_connections: number;
  client_cert_required: boolean;
  sign_messages: boolean;
  retain: Retain;
  messages_per_second: number | undefined;
  bytes_per_second: number | undefined;
  reporting_interval_s: number | undefined;
  relay: string[];
}

export const newProfile: ProfileDraft = {
  profile_name: "", roles: [], acl_pattern: [], max_qos: 1, max_connections: 1, client_cert_required: true, sign_messages: false, retain: "status",
  messages_per_second: undefined, bytes_per_second: undefined, reporting_interval_s: undefined, relay: [],
};

export function profileDraftOf(p: Profile): ProfileDraft {
  return {
    profile_name: p.profile_name, roles: p.roles ?? [], acl_pattern: p.acl_pattern ?? [], max_qos: p.max_qos, max_connections: p.max_connections,
    client_cert_required: p.client_cert_required, sign_messages: p.sign_messages ?? false, retain: (p.retain as Retain | undefined) ?? "status",
    messages_per_second: p.rate?.messages_per_second, bytes_per_second: p.rate?.bytes_per_second,
    reporting_interval_s: p.reporting_interval_s, relay: p.relay ?? [],
  };
}

export function profileBodyOf(d: ProfileDraft): ProfileBody {
  const rate = {
    ...(d.messages_per_second ? { messages_per_second: d.messages_per_second } : {}),
    ...(d.bytes_per_second ? { bytes_per_second: d.bytes_per_second } : {}),
  };
  return {
    roles: d.roles, acl_pattern: d.acl_pattern.map(ruleBodyOf), max_qos: d.max_qos, max_connections: d.max_connections,
    client_cert_required: d.client_cert_required, sign_messages: d.sign_messages, retain: d.retain,
    ...(Object.keys(rate).length > 0 ? { rate } : {}),
    ...(d.reporting_interval_s ? { reporting_interval_s: d.reporting_interval_s } : {}),
    ...(d.relay.length > 0 ? { relay: d.relay } : {}),
  };
}

export interface RoleDraft {
  rolename: string;
  priority: number;
  acls: Rule[];
}

/** A document of rules as it is edited. */
export interface AclDraft {
  id: string;
  roles: RoleDraft[];
  profiles: string[];
  types: string[];
  devices: string[];
  replaces_profile: boolean;
  retain: Retain | "";
  max_qos: number | undefined;
}

export function aclDraftOf(d: AclDocument): AclDraft {
  return {
    id: d.id, roles: (d.roles ?? []).map((r) => ({ rolename: r.rolename, priority: r.priority ?? 0, acls: r.acls ?? [] })),
    profiles: d.applies_to?.profiles ?? [], types: d.applies_to?.types ?? [], devices: d.applies_to?.devices ?? [],
    replaces_profile: d.replaces_profile ?? false, retain: (d.retain as Retain | undefined) ?? "", max_qos: d.max_qos,
  };
}

export function aclBodyOf(d: AclDraft): AclBody {
  return {
    roles: d.roles.map((r) => ({ rolename: r.rolename, ...(r.priority ? { priority: r.priority } : {}), acls: r.acls.map(ruleBodyOf) })),
    applies_to: { profiles: d.profiles, types: d.types, devices: d.devices },
    ...(d.replaces_profile
      ? { replaces_profile: true, ...(d.retain ? { retain: d.retain } : {}), ...(d.max_qos === undefined ? {} : { max_qos: d.max_qos }) }
      : {}),
  };
}

function ruleBodyOf(r: Rule): Rule {
  return { acltype: r.acltype, topic: r.topic.trim(), allow: r.allow, ...(r.priority ? { priority: r.priority } : {}) };
}

/** The draft as the hub tries it before it is saved. */
export const profileTrial = (d: ProfileDraft): DraftPolicy => ({ profile: { profile_name: d.profile_name, ...profileBodyOf(d) } });
export const aclTrial = (d: AclDraft): DraftPolicy => ({ acl: { id: d.id, ...aclBodyOf(d) } });

const kindOf: Record<string, RuleKind> = {
  publish_send: "publishClientSend", publish: "publishClientSend", publish_receive: "publishClientReceive", receive: "publishClientReceive",
  subscribe: "subscribePattern", unsubscribe: "unsubscribePattern",
};

/** The rule that would have allowed what was denied. */
export function ruleFor(action: string, topic: string): Rule {
  return { acltype: kindOf[action] ?? "publishClientSend", topic, allow: true };
}

/** The document for one device's own rules: named after it. */
export function aclFor(client: string, rule: Rule): AclDraft {
  return {
    id: client, roles: [{ rolename: client, priority: 0, acls: [rule] }], profiles: [], types: [], devices: [client], replaces_profile: false, retain: "", max_qos: undefined,
  };
}

/** The document with one more rule, in its first role; one that it has already is not added again. */
export function withRule(d: AclDraft, rule: Rule): AclDraft {
  const [first = { rolename: d.id, priority: 0, acls: [] }, ...others] = d.roles;
  if (first.acls.some((r) => r.acltype === rule.acltype && r.topic === rule.topic && r.allow === rule.allow)) return d;
  return { ...d, roles: [{ ...first, acls: [rule, ...first.acls] }, ...others] };
}

/** The fields in which two drafts differ. */
export function differences<D extends object>(mine: D, theirs: D): (keyof D & string)[] {
  return (Object.keys(mine) as (keyof D & string)[]).filter((k) => JSON.stringify(mine[k]) !== JSON.stringify(theirs[k]));
}

/** Moves the element at `from` by one place; the same list when that is over an end. */
export function moved<T>(list: readonly T[], from: number, by: -1 | 1): T[] {
  const to = from + by;
  const next = [...list];
  if (to < 0 || to >= list.length) return next;
  next.splice(to, 0, ...next.splice(from, 1));
  return next;
}

/** Ids in a text field: separated by commas or blanks, each once. */
export function idsIn(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter(Boolean))];
}
