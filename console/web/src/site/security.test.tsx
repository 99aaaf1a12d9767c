import { jsonResponse, renderWithin } from "@obedio/web/testing";
import type { Session } from "@obedio/web";
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import { ConsoleProvider, SessionProvider } from "../context";
import { draw } from "../fleet/ClaimQr";
import { FleetConsole } from "../fleet-console";
import { en } from "../messages/en";
import { ago, aSite } from "../testing";
import { SecurityTab } from "./SecurityTab";

let deleted: string[];
beforeEach(() => {
  deleted = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    if (url.endsWith("/audit/verify")) return jsonResponse({ ok: true, chains: [{ chain: "c", entries: 1, head: "h", ok: true }] });
    if (init.method === "DELETE") {
      deleted.push(url);
      return new Response(null, { status: 204 });
    }
    if (url.endsWith("/sites/yacht-1")) return jsonResponse(aSite({ link_state: "revoked" }));
    return jsonResponse({}, { status: 404 });
  });
});

function show(site = aSite(), permissions = ["security.read", "audit.read", "sites.write", "provision.write"]) {
  const fleet = new FleetConsole();
  const session: Session = { session_id: "s", user: { user_id: "u", username: "owner", name: "", role: "owner" }, permissions, expires_at: ago(-60) };
  renderWithin(<ConsoleProvider value={fleet}><SessionProvider value={session}><SecurityTab site={site} /></SessionProvider></ConsoleProvider>, { messages: en, clock: fleet.clock });
  return fleet;
}

test("a site is revoked by typing its id, and nothing less", async () => {
  const fleet = show();
  fireEvent.click(screen.getByRole("button", { name: "Revoke this site" }));
  const revoke = screen.getByRole<HTMLButtonElement>("button", { name: "Revoke M/Y Aurelia" });
  const field = screen.getByLabelText("Type yacht-1 to confirm");
  for (const typed of ["", "yacht", "Yacht-1", "M/Y Aurelia"]) {
    fireEvent.change(field, { target: { value: typed } });
    expect(revoke.disabled).toBe(true);
  }
  fireEvent.change(field, { target: { value: "yacht-1" } });
  fireEvent.click(revoke);
  await waitFor(() => expect(fleet.sites.get("yacht-1")?.link_state).toBe("revoked"));
  expect(deleted).toEqual(["/api/v1/sites/yacht-1"]);
});

test("a second history of the hub’s audit is red; a verdict is in words", async () => {
  show(aSite({ audit_forks: 1, verdict: "fenced" }));
  expect(screen.getByTestId("audit-forks").textContent).toContain("told in two ways, once");
  expect(screen.getByText("Another hub has taken its place")).toBeTruthy();
  await waitFor(() => expect(screen.getByTestId("chain").dataset["mark"]).toBe("ok"));
});

test("each sees what their role may do here", () => {
  show(aSite(), ["security.read"]);
  expect(screen.queryByRole("button", { name: "Revoke this site" })).toBeNull();
  expect(screen.queryByTestId("chain")).toBeNull();
  show(aSite(), []);
  expect(screen.getByTestId("view-forbidden")).toBeTruthy();
});

test("a site that is revoked already cannot be again", () => {
  show(aSite({ link_state: "revoked" }));
  expect(screen.queryByRole("button", { name: "Revoke this site" })).toBeNull();
  expect(screen.queryByRole("button", { name: /claim file/ })).toBeNull();
});

test("a claim fits into a QR code with its quiet zone", () => {
  const { path, size } = draw(JSON.stringify({ version: 1, site_id: "yacht-1", url: "https://console.example:8444", claim: "x".repeat(60), fleet_root_sha256: "a".repeat(64) }));
  expect((size - 8 - 17) % 4).toBe(0);
  // The three corners that readers look for.
  for (const corner of ["M4 4h", `M${size - 11} 4h`, `M4 ${size - 11}h`]) expect(path).toContain(corner);
  expect(path).not.toContain("M3 ");
});
