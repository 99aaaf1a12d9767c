import { expect, test } from "vitest";
import { listOf, wayOf } from "./routes";

const get = (path: string, mode = "cors") => wayOf({ method: "GET", path, mode });

test("the worker keeps the shell and the lists that pages begin with, and nothing else", () => {
  expect(get("/mqtt/dashboard", "navigate")).toBe("page");
  expect(get("/assets/index-abc.js")).toBe("asset");
  for (const name of ["sessions/current", "system", "requests", "devices", "rooms", "duty", "drill"]) expect(get(`/api/v1/${name}`)).toBe("answer");
});

test("streams, exports, secrets and everything that changes something pass", () => {
  for (const name of ["events", "traffic/live", "traffic/history", "provision/tokens", "provision/ca.crt", "audit", "users", "devices/btn-1", "backups"]) {
    expect(get(`/api/v1/${name}`)).toBe("pass");
  }
  expect(wayOf({ method: "POST", path: "/api/v1/requests/r-1/accept", mode: "cors" })).toBe("pass");
  expect(get("/api/docs", "navigate")).toBe("pass");
  expect(get("/sw.js")).toBe("pass");
});

test("signing in and out forgets what was kept for the last person", () => {
  expect(wayOf({ method: "POST", path: "/api/v1/sessions/pin", mode: "cors" })).toBe("forget");
  expect(wayOf({ method: "DELETE", path: "/api/v1/sessions/current", mode: "cors" })).toBe("forget");
});

test("what waits and what has ended are two lists, and their pages are kept beside each other", () => {
  const list = (query: string) => listOf(`http://hub.lan/api/v1/requests?${query}`);
  expect(list("state=open,accepted&limit=500&cursor=abc")).toBe(list("limit=500&state=open,accepted"));
  expect(list("state=completed&limit=30")).not.toBe(list("state=open,accepted&limit=500"));
});
