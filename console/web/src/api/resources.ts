// The one place where this user interface takes its resource types from.
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Actor = Schemas["Actor"];
export type Backlog = Schemas["SiteBacklog"];
export type Claim = Schemas["Claim"];
export type Command = Schemas["SiteCommand"];
export type FleetAlert = Schemas["FleetAlert"];
export type Job = Schemas["JobView"];
export type JobTarget = Schemas["TargetView"];
export type JobPreview = Schemas["PreviewView"];
export type NewSite = Schemas["NewSite"];
export type OfflineWindow = Schemas["WindowView"];
export type SavedView = Schemas["SavedView"];
export type Order = Schemas["OrderView"];
export type Site = Schemas["SiteView"];
export type SiteDevice = Schemas["SiteDevice"];
export type SiteRequest = Schemas["Request"];
export type SiteTraffic = Schemas["SiteTraffic"];
export type SyncState = Schemas["SyncView"];
export type System = Schemas["SystemView"];
export type TrafficBucket = Schemas["TrafficBucket"];
export type TrafficTalker = Schemas["TrafficTalker"];
