import { FakeStream, jsonResponse, renderWithin } from "@obedio/web/testing";
import { Clock } from "@obedio/web";
import { screen } from "@testing-library/react";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Command } from "../api/resources";
import { FleetConsole } from "../fleet-console";
import { en } from "../messages/en";
import { ago, aNewSite, aSite, now } from "../testing";
import { Stamp } from "./SitePage";

const page = (items: unknown[]) => jsonResponse({ items, next_cursor: null });
const command = (state: string, steps: string[]) => ({
  command_id: "c-1", device_id: "watch-1", name: "identify", state, issued_by: { kind: "user", id: "u" }, issued_at: ago(1), expires_at: ago(-60),
  updated_at: ago(1), steps: steps.map((s) => ({ state: s, at: ago(1) })),
});
let stream: FakeStream;
const asked: string[] = [];

beforeEach(() => {
  stream = new FakeStream();
  asked.length = 0;
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    const path = url.replace("/api/v1", "").split("?")[0]!;
    asked.push(`${init.method ?? "GET"} ${path}`);
    if (path === "/events") return stream.response;
    if (path === "/sites") return page([aSite()]);
    if (path.endsWith("/command")) return jsonResponse(command("queued", ["queued"]), { status: 202 });
    if (path.startsWith("/sites/yacht-1/")) return path.endsWith("/sync") ? jsonResponse({ epoch: "e", lanes: [], dead_letters: 0, digest: "" }) : page([]);
    return jsonResponse({}, { status: 404 });
  });
});

describe("FleetConsole", () => {
  test("follows a command of an open site through its steps", async () => {
    const fleet = new FleetConsole();
    const stop = fleet.start();
    const { data, leave } = fleet.followSite("yacht-1");
    await vi.waitFor(() => expect(data.commands.status.phase).toBe("ready"));
    await fleet.sendCommand("yacht-1", "watch-1", { name: "identify", ttl_ms: 1000 }, "key");
    expect(data.commands.get("c-1")?.state).toBe("queued");
    stream.event("command", { site: "yacht-1", command: command("succeeded", ["queued", "at_hub", "succeeded"]) }, "a-1");
    stream.event("command", { site: "yacht-1", command: command("at_hub", ["queued", "at_hub"]) }, "a-2");
    await vi.waitFor(() => expect(data.commands.get("c-1")?.state).toBe("succeeded"));
    leave();
    stop();
  });

  test("a command that the hub holds shows that its order was applied", async () => {
    const fleet = new FleetConsole();
    const { data, leave } = fleet.followSite("yacht-1");
    await vi.waitFor(() => expect(data.orders.status.phase).toBe("ready"));
    data.orders.upsert({
      number: 1, order_id: "o-1", kind: "command", created_at: ago(1), expires_at: ago(-60), actor: { kind: "user", id: "u" }, state: "queued",
      command: command("queued", ["queued"]) as Command,
    });
    data.command(command("at_hub", ["queued", "at_hub"]) as Command);
    expect(data.orders.get("o-1")?.state).toBe("applied");
    leave();
  });

  test("a site that comes or changes is an event, not a reading", async () => {
    const fleet = new FleetConsole();
    const stop = fleet.start();
    await vi.waitFor(() => expect(fleet.sites.size).toBe(1));
    const before = asked.length;
    stream.event("site", aSite({ link_state: "offline" }), "a-1");
    stream.event("site", aNewSite(), "a-2");
    await vi.waitFor(() => expect(fleet.sites.ids()).toEqual(["yacht-1", "new-1"]));
    expect(fleet.sites.get("yacht-1")?.link_state).toBe("offline");
    expect(asked.length).toBe(before);
    stop();
  });
});

describe("Stamp", () => {
  const clock = new Clock(() => now);
  const show = (site: ReturnType<typeof aSite>) => renderWithin(<Stamp site={site} />, { messages: en, clock });

  test("tells the age of the data", () => {
    show(aSite({ data_as_of: ago(3) }));
    expect(screen.getByTestId("stamp").textContent).toContain("3 min ago");
    expect(screen.getByTestId("stamp").dataset["old"]).toBe("false");
  });

  test("warns when it is old although the link is up", () => {
    show(aSite({ data_as_of: ago(600) }));
    expect(screen.getByTestId("stamp").textContent).toContain("This is old");
  });

  test("says when nothing was ever known", () => {
    show(aNewSite());
    expect(screen.getByTestId("stamp").textContent).toContain("never connected");
  });

  test("tells a hub that is connected from one that never was, before its first data", () => {
    show({ ...aNewSite(), link_state: "online", last_contact: ago(0) });
    expect(screen.getByTestId("stamp").textContent).toContain("has connected");
  });
});
