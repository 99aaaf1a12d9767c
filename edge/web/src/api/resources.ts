// The one place where this user interface takes its resource types from.
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Actor = Schemas["Actor"];
export type CallRequest = Schemas["Request"];
export type Command = Schemas["Command"];
export type Configuration = Schemas["ConfigurationView"];
export type Device = Schemas["Device"];
export type Presence = Schemas["Presence"];
export type Press = Schemas["Press"];
export type System = Schemas["SystemView"];
export type Uplink = Schemas["UplinkView"];
export type CancelReason = Schemas["RequestCancel"]["reason"];
export type AclDocument = Schemas["AclView"];
export type AclBody = Schemas["ACLBody"];
export type AclDecision = Schemas["ACLDecision"];
export type AclTest = Schemas["ACLTest"];
export type AuditEntry = Schemas["AuditEntry"];
export type AuditVerification = Schemas["AuditVerification"];
export type Ban = Schemas["BanView"];
export type Certificate = Schemas["CertificateView"];
export type ClockReading = Schemas["Reading"];
export type Denial = Schemas["DenialView"];
export type DraftPolicy = Schemas["DraftBody"];
export type IssuedCertificate = Schemas["IssuedCertificate"];
export type Job = Schemas["JobView"];
export type NewProvisionToken = Schemas["NewProvisionToken"];
export type NewTokenInput = Schemas["NewTokenInput"];
export type PressProfile = Schemas["PressProfileView"];
export type Profile = Schemas["ProfileView"];
export type ProfileBody = Schemas["ProfileBody"];
export type ProvisionToken = Schemas["ProvisionToken"];
export type Replay = Schemas["ACLReplayResult"];
export type Room = Schemas["Room"];
export type Rule = Schemas["ACL"];
/** The data of a security alert: a group of denials, or an entry of the audit. */
export type SecurityAlert = Denial | { kind: "audit"; reason: string; target?: string; entry: AuditEntry };
/** The data of a `config` event, which the document does not name. */
export interface ConfigChange {
  kind: "device" | "room" | "profile" | "acl";
  id: string;
  removed: boolean;
}
