import { describe, expect, test, vi } from "vitest";
import { ApiClient } from "../api/client";
import { Batcher } from "../live/batch";
import { jsonResponse } from "../testing";
import { SessionKeeper, type Session } from "./session";

const session: Session = { session_id: "s", user: { user_id: "u", username: "mila", name: "Mila", role: "crew" }, permissions: [], expires_at: "" };

function keeper(answers: Record<string, () => Response>) {
  const fetch = vi.fn(async (url: unknown, init?: RequestInit) => {
    const answer = answers[`${init?.method} ${String(url)}`];
    if (!answer) throw new TypeError("Failed to fetch");
    return answer();
  });
  const api: ApiClient = new ApiClient({ base: "", fetch: fetch as unknown as typeof globalThis.fetch, onUnauthenticated: () => held.ended() });
  const held: SessionKeeper = new SessionKeeper(api, new Batcher());
  return held;
}
const unauthenticated = () => jsonResponse({}, { status: 401 });

describe("SessionKeeper", () => {
  test("finds the session that the cookie holds", async () => {
    const k = keeper({ "GET /sessions/current": () => jsonResponse(session) });
    await k.restore();
    expect(k.state.get()).toEqual({ kind: "in", session });
  });

  test("asks for the first run on a fresh program, and for signing in on another", async () => {
    const fresh = keeper({ "GET /sessions/current": unauthenticated, "GET /setup": () => jsonResponse({ needed: true }) });
    await fresh.restore();
    expect(fresh.state.get().kind).toBe("setup");
    const used = keeper({ "GET /sessions/current": unauthenticated, "GET /setup": () => jsonResponse({ needed: false }) });
    await used.restore();
    expect(used.state.get()).toEqual({ kind: "out", over: false });
  });

  test("does not take a program that does not answer for being signed out", async () => {
    const k = keeper({});
    await k.restore();
    expect(k.state.get().kind).toBe("unreachable");
  });

  test("a wrong password leaves the page as it is; a session that ends says so", async () => {
    const k = keeper({ "POST /sessions": unauthenticated });
    k.state.set({ kind: "out", over: false });
    await expect(k.signIn("mila", "x")).rejects.toMatchObject({ status: 401 });
    expect(k.state.get()).toEqual({ kind: "out", over: false });
    k.state.set({ kind: "in", session });
    k.ended();
    expect(k.state.get()).toEqual({ kind: "out", over: true });
  });
});
