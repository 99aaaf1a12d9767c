import type { Collection } from "@obedio/web";
import type { AclDocument, Profile } from "../api/resources";

export const profileKey = (p: Profile) => p.profile_name;
export const profileNames = (profiles: Collection<Profile>) => [...profiles.values()].map((p) => p.profile_name).sort();
export const aclKey = (d: AclDocument) => d.id;
export const aclIds = (documents: Collection<AclDocument>) => [...documents.values()].map((d) => d.id).sort();
