import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { ApiClient } from "../api/client";
import { Batcher } from "../live/batch";
import { jsonResponse, renderWithin } from "../testing";
import type { Session } from "../auth/session";
import { PeopleTabs, type PeopleTab } from "./PeopleTabs";
import { PeopleProvider, type Program } from "./program";
import type { User } from "./types";

const at = "2026-03-01T12:00:00Z";
const aUser = (over: Partial<User> = {}): User => ({
  user_id: "u-ana", username: "ana", name: "Ana", role: "crew", disabled: false, created_at: at, updated_at: at, etag: '"v1"', ...over,
});
const roles = [
  { role: "admin", by_site: false, administrator: true, permissions: ["users.read", "users.write", "tokens.write", "crew.write", "sessions.own"] },
  { role: "crew", by_site: false, administrator: false, permissions: ["requests.accept", "sessions.own"] },
];

type Answer = (init: RequestInit) => Response;
let answers: Record<string, Answer>;
let asked: { what: string; init: RequestInit }[];
const bodyOf = (what: string) => asked.filter((a) => a.what === what).map((a) => JSON.parse(String(a.init.body)) as unknown);
const matchOf = (what: string) => asked.filter((a) => a.what === what).map((a) => (a.init.headers as Record<string, string>)["If-Match"]);

beforeEach(() => {
  asked = [];
  const page = (items: unknown[]) => () => jsonResponse({ items, next_cursor: null });
  answers = {
    "GET /roles": () => jsonResponse({ items: roles }), "GET /users": page([aUser()]), "GET /sessions": page([]), "GET /tokens": page([]), "GET /tablets": page([]),
  };
});

function show(tab: PeopleTab, permissions = ["users.read", "users.write", "tokens.write", "crew.write"], reach: Program["reach"] = { kind: "live" }) {
  const fetch = vi.fn<typeof globalThis.fetch>(async (url, init) => {
    const what = `${init?.method ?? "GET"} ${String(url).split("?")[0]}`;
    asked.push({ what, init: init ?? {} });
    return answers[what]?.(init ?? {}) ?? jsonResponse({ title: "Not found" }, { status: 404 });
  });
  const session: Session = { session_id: "s", user: { user_id: "u-cap", username: "cap", name: "Cap", role: "admin" }, permissions, expires_at: at };
  const program: Program = {
    kind: "hub", api: new ApiClient({ base: "", fetch }), batcher: new Batcher(), session, reach, retry: vi.fn<() => void>(), signOut: async () => {},
  };
  return renderWithin(<PeopleProvider program={program}><PeopleTabs tab={tab} onTab={() => {}} /></PeopleProvider>);
}

const openAna = async () => {
  fireEvent.click(await screen.findByRole("button", { name: "Open Ana" }));
  return within(screen.getByTestId("person"));
};

describe("the list of people", () => {
  test("says why it is empty, what does not fit, and what is forbidden", async () => {
    show("people");
    await screen.findByText("Ana");
    fireEvent.change(screen.getByTestId("people-filter"), { target: { value: "role:chief" } });
    expect(screen.getByTestId("view-filtered-empty").textContent).toContain("0 of 1 match");
    answers["GET /users"] = () => jsonResponse({ title: "Not allowed" }, { status: 403 });
    show("people");
    await screen.findByTestId("view-forbidden");
  });

  test("whoever may see nobody has a page about themselves", async () => {
    show("people", []);
    expect(await screen.findByTestId("you")).toBeTruthy();
    expect(screen.getAllByRole("tab").map((tab) => tab.textContent)).toEqual(["Roles", "You"]);
    expect(asked.map((a) => a.what)).not.toContain("GET /users");
  });

  test("nothing can be changed while there is no way to the program", async () => {
    show("people", undefined, { kind: "offline", since: Date.parse(at) });
    expect((screen.getByRole("button", { name: "Add a person" }) as HTMLButtonElement).disabled).toBe(true);
    expect(asked).toEqual([]);
  });
});

describe("changing a person", () => {
  test("another version without anything to look at is saved at once", async () => {
    let tries = 0;
    answers["PUT /users/u-ana"] = () =>
      ++tries === 1 ? jsonResponse({ title: "It has changed meanwhile" }, { status: 412 }) : jsonResponse(aUser({ name: "Ana K", etag: '"v3"' }));
    answers["GET /users/u-ana"] = () => jsonResponse(aUser({ has_pin: true, etag: '"v2"' }));
    show("people");
    const person = await openAna();
    fireEvent.change(person.getByLabelText("Name"), { target: { value: "Ana K" } });
    fireEvent.click(person.getByRole("button", { name: "Save" }));
    await screen.findByText("Ana K is saved");
    expect(matchOf("PUT /users/u-ana")).toEqual(['"v1"', '"v2"']);
    expect(screen.queryByTestId("clash")).toBeNull();
  });

  test("what somebody else has changed is shown before it is saved", async () => {
    answers["PUT /users/u-ana"] = () => jsonResponse({ title: "It has changed meanwhile" }, { status: 412 });
    answers["GET /users/u-ana"] = () => jsonResponse(aUser({ name: "Anna", role: "admin", etag: '"v2"' }));
    show("people");
    const person = await openAna();
    fireEvent.change(person.getByLabelText("Name"), { target: { value: "Ana K" } });
    fireEvent.click(person.getByRole("button", { name: "Save" }));
    const clash = await screen.findByTestId("clash");
    expect(clash.textContent).toContain("Role: now Administrator");
    expect(clash.textContent).toContain("they chose Anna, the form keeps your Ana K");
    expect(asked.filter((a) => a.what === "PUT /users/u-ana")).toHaveLength(1);
    fireEvent.click(within(clash).getByRole("button", { name: "Take all of theirs" }));
    expect((person.getByLabelText("Name") as HTMLInputElement).value).toBe("Anna");
  });

  test("disabling goes over whatever else has changed, and keeps it", async () => {
    let tries = 0;
    answers["PUT /users/u-ana"] = () =>
      ++tries === 1 ? jsonResponse({ title: "It has changed meanwhile" }, { status: 412 }) : jsonResponse(aUser({ name: "Anna", disabled: true, etag: '"v3"' }));
    answers["GET /users/u-ana"] = () => jsonResponse(aUser({ name: "Anna", etag: '"v2"' }));
    show("people");
    const person = await openAna();
    fireEvent.click(person.getByRole("button", { name: "Disable" }));
    await screen.findByText(/is disabled and signed out/);
    expect(bodyOf("PUT /users/u-ana").at(-1)).toEqual({ name: "Anna", role: "crew", disabled: true });
  });

  test("deleting is asked about, and the way back keeps what was typed", async () => {
    answers["DELETE /users/u-ana"] = () => new Response(null, { status: 204 });
    show("people");
    const person = await openAna();
    fireEvent.change(person.getByLabelText("Name"), { target: { value: "Half typed" } });
    fireEvent.click(person.getByRole("button", { name: "Delete" }));
    fireEvent.click(person.getByRole("button", { name: "Cancel" }));
    expect((person.getByLabelText("Name") as HTMLInputElement).value).toBe("Half typed");
    fireEvent.click(person.getByRole("button", { name: "Delete" }));
    fireEvent.click(person.getByRole("button", { name: "Delete Ana" }));
    await waitFor(() => expect(screen.queryByTestId("person")).toBeNull());
    expect(screen.queryByRole("button", { name: "Open Ana" })).toBeNull();
  });
});

describe("a token", () => {
  test("has only the rights and the days that were chosen, and its secret is shown until it is put away", async () => {
    answers["POST /tokens"] = () =>
      jsonResponse({ id: "t-1", name: "Export", role: "crew", scopes: ["requests.accept"], created_at: at, expires_at: null, used_at: null, token: "obd_secret" }, { status: 201 });
    show("tokens");
    fireEvent.click((await screen.findAllByRole("button", { name: "Make a token" }))[0]!);
    const form = within(screen.getByTestId("token-form"));
    fireEvent.click(form.getByRole("button", { name: "Make the token" }));
    expect(form.getByText("Give it a name.")).toBeTruthy();
    fireEvent.change(form.getByLabelText("Name"), { target: { value: "Export" } });
    fireEvent.click(form.getByLabelText("Only some"));
    fireEvent.click(form.getByRole("button", { name: "Make the token" }));
    expect(form.getByText("Choose at least one right.")).toBeTruthy();
    fireEvent.click(form.getByLabelText("Accept calls"));
    fireEvent.change(form.getByLabelText("Expires"), { target: { value: "never" } });
    fireEvent.click(form.getByRole("button", { name: "Make the token" }));
    expect((await screen.findByTestId("token-secret")).textContent).toBe("obd_secret");
    expect(bodyOf("POST /tokens")).toEqual([{ name: "Export", role: "crew", scopes: ["requests.accept"] }]);
    fireEvent.keyDown(screen.getByTestId("token-form"), { key: "Escape" });
    expect(screen.getByTestId("token-secret")).toBeTruthy();
    act(() => fireEvent.click(screen.getByRole("button", { name: "I have kept it" })));
    expect(screen.queryByTestId("token-secret")).toBeNull();
    expect(document.body.textContent).not.toContain("obd_secret");
  });
});
