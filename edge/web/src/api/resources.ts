// The one place where this user interface takes its resource types from.
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Actor = Schemas["Actor"];
export type Alert = Schemas["Alert"];
export type AlertSeverity = Alert["severity"];
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
export type NotificationRule = Schemas["RuleView"];
export type NotificationRuleBody = Schemas["NotificationRuleBody"];
export type Delivery = Schemas["DeliveryView"];
export type ProvisionToken = Schemas["ProvisionToken"];
export type Replay = Schemas["ACLReplayResult"];
export type Room = Schemas["Room"];
export type Rule = Schemas["ACL"];
export type Trust = Schemas["TrustView"];
export type TrustItem = Schemas["TrustItem"];
export type SelfTest = Schemas["SelfTestView"];
export type SelfTestResult = Schemas["Result"];
export type Backup = Schemas["Kept"];
export type BackupInput = Schemas["BackupInput"];
export type Escalation = Schemas["EscalationView"];
export type EscalationLevel = Schemas["Level"];
export type Service = Schemas["ServiceView"];
export type Team = Schemas["TeamView"];
export type Drill = Schemas["DrillView"];
export type Settings = Schemas["SettingsView"]["settings"];
/** The data of a security alert: a group of denials, or an entry of the audit. */
export type SecurityAlert = Denial | { kind: "audit"; reason: string; target?: string; entry: AuditEntry };
/** The data of a `config` event, which the document does not name. */
export interface ConfigChange {
  kind:
    | "device" | "room" | "profile" | "acl" | "person" | "team" | "shift" | "override" | "handover" | "service" | "press_profile" | "escalation" | "drill" | "walk" | "notification";
  id: string;
  removed: boolean;
}
export type Duty = Schemas["DutyView"];
export type HandoverNote = Schemas["HandoverNote"];
export type NewCall = Schemas["NewRequest"];
export type Person = Schemas["PersonView"];
export type ResponseGroup = Schemas["ResponseGroup"];
export type ResponseStatistics = Schemas["ResponseStatistics"];
export type ResponseTimes = Schemas["ResponseTimes"];
export type Serving = Schemas["ServingView"];
export type Shift = Schemas["ShiftView"];
export type Timeline = Schemas["Timeline"];
export type TimelineEntry = Schemas["TimelineEntry"];
export type Walk = Schemas["WalkView"];
export type WalkButton = Schemas["WalkButton"];
export type WalkRoom = Schemas["WalkRoom"];
export type WatchReach = Schemas["WatchReach"];
