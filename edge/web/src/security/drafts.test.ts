import { describe, expect, test } from "vitest";
import type { AclDocument, Profile, Rule } from "../api/resources";
import { aclBodyOf, aclDraftOf, aclFor, differences, idsIn, moved, newProfile, profileBodyOf, profileDraftOf, ruleFor, withRule } from "./drafts";

const rule: Rule = { acltype: "publishClientSend", topic: "obedio/${site}/#", allow: true };
const profile: Profile = {
  profile_name: "button", acl_pattern: [rule], max_qos: 1, max_connections: 1, client_cert_required: false, sign_messages: true, retain: "status",
  rate: { messages_per_second: 5 }, relay: ["btn-1"], reporting_interval_s: 60, built_in: false, devices: 3, version: 2, etag: '"v2"',
};
const document: AclDocument = {
  id: "guests", roles: [{ rolename: "guests", acls: [rule] }], applies_to: { types: ["button"] }, updated_at: "2026-03-01T00:00:00Z", version: 1, etag: '"v1"',
};

describe("drafts", () => {
  test("keep everything that a profile says on its way to the form and back", () => {
    expect(profileBodyOf(profileDraftOf(profile))).toEqual({
      roles: [], acl_pattern: [rule], max_qos: 1, max_connections: 1, client_cert_required: false, sign_messages: true, retain: "status",
      rate: { messages_per_second: 5 }, relay: ["btn-1"], reporting_interval_s: 60,
    });
    // No rate and no interval of its own: the broker's and the type's count.
    expect(profileBodyOf(newProfile)).not.toHaveProperty("rate");
    expect(profileBodyOf(newProfile)).not.toHaveProperty("reporting_interval_s");
  });

  test("keep everything that a document says, and send retain and QoS only where it replaces a profile", () => {
    expect(aclBodyOf(aclDraftOf(document))).toEqual({ roles: [{ rolename: "guests", acls: [rule] }], applies_to: { profiles: [], types: ["button"], devices: [] } });
    const replaces = aclBodyOf({ ...aclDraftOf(document), replaces_profile: true, retain: "nothing", max_qos: 0 });
    expect(replaces).toMatchObject({ replaces_profile: true, retain: "nothing", max_qos: 0 });
    expect(aclBodyOf({ ...aclDraftOf(document), retain: "nothing", max_qos: 0 })).not.toHaveProperty("retain");
  });

  test("make a rule of a denial, once", () => {
    const asked = ruleFor("subscribe", "obedio/yacht-1/#");
    expect(asked).toEqual({ acltype: "subscribePattern", topic: "obedio/yacht-1/#", allow: true });
    const made = aclFor("btn-001", asked);
    expect(made).toMatchObject({ id: "btn-001", devices: ["btn-001"] });
    expect(withRule(made, asked)).toBe(made);
    expect(withRule(made, ruleFor("publish_send", "a/b")).roles[0]!.acls).toHaveLength(2);
  });

  test("say in what they differ", () => {
    const mine = profileDraftOf(profile);
    expect(differences(mine, { ...mine, acl_pattern: [{ ...rule }] })).toEqual([]);
    expect(differences(mine, { ...mine, max_qos: 2, acl_pattern: [] })).toEqual(["acl_pattern", "max_qos"]);
  });
});

test("rules move by one place and not over the ends", () => {
  expect(moved(["a", "b", "c"], 2, -1)).toEqual(["a", "c", "b"]);
  expect(moved(["a", "b"], 0, -1)).toEqual(["a", "b"]);
  expect(moved(["a", "b"], 1, 1)).toEqual(["a", "b"]);
});

test("ids are read from what people type", () => {
  expect(idsIn(" btn-1, btn-2  btn-1\n")).toEqual(["btn-1", "btn-2"]);
});
