import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { jsonResponse, renderWithin } from "@obedio/web/testing";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HubProvider } from "../context";
import { Hub } from "../hub";
import { hub as texts } from "../messages/hub";
import { aSession } from "../testing";
import { HubSignIn } from "./HubSignIn";
import { initials } from "./TileGrid";

let tiles: () => Response;
let pin: () => Response;
let sent: unknown[];
beforeEach(() => {
  sent = [];
  tiles = () => jsonResponse({ items: [{ user_id: "u-1", name: "Jonas Weber" }] });
  pin = () => jsonResponse(aSession(), { status: 201 });
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    if (url.endsWith("/sessions/tiles")) return tiles();
    if (url.endsWith("/sessions/pin")) {
      sent.push(JSON.parse(String(init.body)));
      return pin();
    }
    return jsonResponse({}, { status: 404 });
  });
});
afterEach(() => void vi.useRealTimers());

function show() {
  const hub = new Hub();
  renderWithin(<HubProvider value={hub}><HubSignIn over={false} /></HubProvider>, { messages: texts.en, clock: hub.clock });
  return hub;
}
const typeKeys = (text: string) => act(() => void [...text].forEach((key) => fireEvent.keyDown(window, { key })));

describe("on an enrolled tablet", () => {
  test("a name is touched and a PIN typed; the last digit sends it", async () => {
    const hub = show();
    fireEvent.click(await screen.findByRole("button", { name: "Jonas Weber" }));
    for (const digit of "40291") fireEvent.click(screen.getByRole("button", { name: digit }));
    fireEvent.click(screen.getByRole("button", { name: "Erase the last digit" }));
    typeKeys("1");
    expect(sent).toEqual([]);
    typeKeys("7");
    await waitFor(() => expect(hub.session.state.get().kind).toBe("in"));
    expect(sent).toEqual([{ user_id: "u-1", pin: "402917" }]);
  });

  test("a wrong PIN is said, and the digits are gone", async () => {
    pin = () => jsonResponse({ title: "Nobody is signed in" }, { status: 401 });
    const hub = show();
    fireEvent.click(await screen.findByRole("button", { name: "Jonas Weber" }));
    typeKeys("111222");
    await screen.findByText("That PIN is wrong.");
    expect(screen.getByText("0 of 6 digits")).toBeTruthy();
    expect(hub.session.state.get().kind).not.toBe("in");
    typeKeys("333444");
    await waitFor(() => expect(sent).toHaveLength(2));
  });

  test("after too many tries the wait is counted down, and no key does anything until then", async () => {
    pin = () => jsonResponse({ title: "A limit is reached" }, { status: 429, headers: { "Retry-After": "3" } });
    show();
    fireEvent.click(await screen.findByRole("button", { name: "Jonas Weber" }));
    vi.useFakeTimers({ now: Date.now() });
    typeKeys("111222");
    await act(() => vi.advanceTimersByTimeAsync(10));
    expect(screen.getByText("Too many tries. Try again in 3 s.")).toBeTruthy();
    typeKeys("999999");
    expect(screen.getByText("0 of 6 digits")).toBeTruthy();
    await act(() => vi.advanceTimersByTimeAsync(1000));
    expect(screen.getByText("Too many tries. Try again in 2 s.")).toBeTruthy();
    await act(() => vi.advanceTimersByTimeAsync(2500));
    expect(screen.queryByText(/Too many tries/)).toBeNull();
    typeKeys("9");
    expect(screen.getByText("1 of 6 digits")).toBeTruthy();
    expect(sent).toHaveLength(1);
  });

  test("a password works too, and there is a way back", async () => {
    show();
    fireEvent.click(await screen.findByRole("button", { name: "Sign in with a password" }));
    expect(screen.getByTestId("sign-in")).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: "Choose a name instead" }));
    expect(screen.getByTestId("tiles")).toBeTruthy();
  });

  test("it says when nobody has a PIN yet", async () => {
    tiles = () => jsonResponse({ items: [] });
    show();
    expect((await screen.findByTestId("no-tiles")).textContent).toContain("A chief sets one under People.");
  });
});

test("elsewhere, and when it is not known, a password is asked for", async () => {
  tiles = () => jsonResponse({ title: "Nobody is signed in" }, { status: 401 });
  show();
  await screen.findByTestId("sign-in");
  expect(screen.queryByRole("button", { name: "Choose a name instead" })).toBeNull();
});

test.each([["Jonas Weber", "JW"], ["mila", "M"], ["  Ana Maria  de la Cruz ", "AC"], ["Élodie", "É"], ["", ""]])("initials of %s are %s", (name, letters) =>
  expect(initials(name)).toBe(letters));
