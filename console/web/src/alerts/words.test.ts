import { expect, test } from "vitest";
import type { FleetAlert } from "../api/resources";
import { ago } from "../testing";
import { compareAlerts } from "./words";

const anAlert = (over: Partial<FleetAlert>): FleetAlert => ({
  site_id: "yacht-1", site_name: "M/Y Aurelia", alert_id: "a", kind: "disk_low", severity: "warning", subject_kind: "hub", state: "active", since: ago(60), raised_at: ago(60),
  updated_at: ago(60), arrived_at: ago(10), occurrences: 1, members: [], detail: {}, version: 1, origin: "hub", open: true, ...over,
});

test("what stands and nobody ashore has seen comes first, then what is gone, then what was seen", () => {
  const all = [
    anAlert({ alert_id: "seen", severity: "critical", seen_at: ago(1) }),
    anAlert({ alert_id: "gone", severity: "critical", state: "rectified" }),
    anAlert({ alert_id: "old", arrived_at: ago(50) }),
    anAlert({ alert_id: "new", arrived_at: ago(5) }),
    anAlert({ alert_id: "worst", severity: "critical", arrived_at: ago(50) }),
  ];
  expect(all.sort(compareAlerts).map((a) => a.alert_id)).toEqual(["worst", "new", "old", "gone", "seen"]);
});
