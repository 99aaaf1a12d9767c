import { jsonResponse, renderWithin } from "@obedio/web/testing";
import { screen } from "@testing-library/react";
import type { ReactNode } from "react";
import { beforeEach, expect, test, vi } from "vitest";
import { ConsoleProvider } from "../context";
import { FleetConsole } from "../fleet-console";
import { en } from "../messages/en";
import { ConsoleSignIn } from "./ConsoleSignIn";
import { reasonIn, SignInFailed } from "./SignInFailed";

let provider: () => Response;
beforeEach(() => {
  vi.stubGlobal("fetch", async (url: string) => (url.endsWith("/sessions/oidc") ? provider() : jsonResponse({}, { status: 404 })));
});
const show = (node: ReactNode) => renderWithin(<ConsoleProvider value={new FleetConsole()}>{node}</ConsoleProvider>, { messages: en });
const on = () => jsonResponse({ enabled: true, label: "Fleet account", start_url: "/api/v1/sessions/oidc/start" });

test("the button to the identity provider says what the console calls it, and comes back to this page", async () => {
  provider = on;
  history.replaceState(null, "", "/sites/yacht-1?tab=audit");
  show(<ConsoleSignIn over={false} />);
  const link = await screen.findByRole("link", { name: "Sign in with Fleet account" });
  expect(link.getAttribute("href")).toBe("/api/v1/sessions/oidc/start?return_to=%2Fsites%2Fyacht-1%3Ftab%3Daudit");
  expect(screen.getByTestId("sign-in")).toBeTruthy();
});

test("without one, and when it cannot be asked, there is the password alone", async () => {
  provider = () => jsonResponse({ enabled: false });
  show(<ConsoleSignIn over={false} />);
  await Promise.resolve();
  expect(screen.queryByTestId("provider")).toBeNull();
  provider = () => jsonResponse({}, { status: 503 });
  show(<ConsoleSignIn over />);
  await screen.findByText("Your session has ended. Sign in again.");
  expect(screen.queryByTestId("provider")).toBeNull();
});

test("a failed sign-in says why, and what to do", async () => {
  provider = on;
  history.replaceState(null, "", "/sign-in-failed?reason=no_role");
  show(<SignInFailed />);
  expect(screen.getByTestId("sign-in-failed").textContent).toContain("map one of your groups to a role");
  const again = await screen.findByRole("link", { name: "Try again" });
  expect(again.getAttribute("href")).toBe("/api/v1/sessions/oidc/start?return_to=%2F");
  expect(screen.getByRole("link", { name: "Sign in with a local account" }).getAttribute("href")).toBe("/");
});

test.each([["?reason=refused", "refused"], ["?reason=<script>", "unknown"], ["", "unknown"]])("the reason in %s is %s", (search, reason) =>
  expect(reasonIn(search)).toBe(reason));
