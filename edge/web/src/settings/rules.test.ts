import { expect, test } from "vitest";
import { escalationDraft, inOrder, nextLevel, pressBody, pressDraft, serviceBody } from "./calls";
import { durationOf, lengthOf } from "./StorageTab";
import { blankRule, ruleBody, ruleDraft, tells } from "./rules";

test("a rule that is read and written is the same, and its secret stays where it is", () => {
  const rule = {
    name: "bridge", on: ["alert" as const], min_severity: "critical" as const, kinds: ["disk_low"], when_gone: true, sound: "alarm" as const, buzzer: true,
    webhook: { url: "https://example.org/hook" }, mail: { to: ["a@example.org", "b@example.org"] }, quiet: { from: "22:00", to: "07:00", critical: true },
  };
  const { name: _, ...body } = rule;
  expect(ruleBody(ruleDraft({ ...rule, signed: true, version: 3, etag: '"3"', updated_at: "" }))).toEqual(body);
});

test("a secret is sent when it is typed, and taken away only when somebody says so", () => {
  expect(ruleBody({ ...blankRule, secret: "s3cret" }).webhook_secret).toBe("s3cret");
  expect(ruleBody({ ...blankRule, unsigned: true }).webhook_secret).toBe("");
  expect("webhook_secret" in ruleBody(blankRule)).toBe(false);
});

test("a rule that tells nobody is found", () => {
  expect(tells(blankRule)).toBe(false);
  expect(tells({ ...blankRule, mail: " , " })).toBe(false);
  expect(tells({ ...blankRule, sound: "chime" })).toBe(true);
});

test("steps of an escalation go from few to all", () => {
  expect(inOrder([{ to: "duty", after_s: 0 }, { to: "lead", after_s: 60 }, { to: "backup", after_s: 60 }])).toBe(false);
  expect(nextLevel([{ to: "duty", after_s: 0 }]).to).toBe("backup");
  expect(nextLevel([{ to: "all", after_s: 0 }]).to).toBe("all");
  expect(escalationDraft({ priority: "normal", levels: null, ring_every_s: 1, missed_after_s: 0, late_max_s: 0, version: 0, etag: '"0"' }).levels).toEqual([]);
});

test("what is not said of a profile or a service is not sent", () => {
  const view = { name: "default", types: { single: { priority: "normal" } }, version: 0, etag: '"0"' };
  expect(pressBody(pressDraft(view))).toEqual({ types: view.types });
  expect(pressBody({ ...pressDraft(view), burst_presses: 4 })).toEqual({ types: view.types, burst_presses: 4, burst_priority: "urgent" });
  expect(serviceBody({ kind: "towels", label: " Towels ", team: "", priority: "normal" })).toEqual({ label: "Towels" });
});

test("durations of settings are told in whole units, and what is none is left as it is", () => {
  expect(["720h0m0s", "1h30m0s", "500ms", "2m0s", "-1s", "1.5s"].map(durationOf)).toEqual([2_592_000_000, 5_400_000, 500, 120_000, -1000, 1500]);
  expect(["age1abc", "", "30", ":8080"].map(durationOf)).toEqual([undefined, undefined, undefined, undefined]);
  expect([2_592_000_000, 5_400_000, 86_400_000, 90_000].map(lengthOf)).toEqual([{ unit: "d", count: 30 }, { unit: "min", count: 90 }, { unit: "h", count: 24 }, { unit: "s", count: 90 }]);
});
