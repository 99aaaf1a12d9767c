// Fixtures for this workspace's tests; not part of the build.
import type { Site } from "./api/resources";

export const now = Date.parse("2026-03-01T12:00:00Z");
export const ago = (minutes: number) => new Date(now - minutes * 60_000).toISOString();

export function aSite(over: Partial<Site> = {}): Site {
  return {
    site_id: "yacht-1", name: "M/Y Aurelia", created_at: ago(9999), link_state: "online", link_since: ago(60), last_contact: ago(1), data_as_of: ago(1),
    hub_id: "h", hub_version: "0.1.0", epoch: "e", backlog: { requests: 0, commands: 0, state: 0, registry: 0 },
    counts: { devices: 40, ready: 38, late: 1, lost: 1, other: 0 }, requests: { open: 0, accepted: 0, emergency: 0 }, orders_pending: 0,
    clock_trusted: true, dead_letters: 0, tags: [], etag: "\"v0\"", open_alerts: 0, bytes_today: 0,
    attention: 0, attention_reasons: [], ...over,
  };
}

/** A site whose hub has never been there. */
export function aNewSite(): Site {
  const { data_as_of: _, last_contact: __, hub_id: ___, hub_version: ____, backlog: _____, epoch: ______, ...site } = aSite({
    site_id: "new-1", link_state: "never_connected", counts: { devices: 0, ready: 0, late: 0, lost: 0, other: 0 },
  });
  return site;
}
