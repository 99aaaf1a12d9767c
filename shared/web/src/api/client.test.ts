import { describe, expect, test, vi } from "vitest";
import { jsonResponse } from "../testing";
import { ApiClient, newIdempotencyKey } from "./client";
import { ApiError } from "./problem";

function client(answer: (url: string, init: RequestInit) => Promise<Response> | Response, out = vi.fn()) {
  const fetch = vi.fn(async (url: unknown, init?: RequestInit) => answer(String(url), init ?? {}));
  return { api: new ApiClient({ base: "/api/v1", fetch: fetch as unknown as typeof globalThis.fetch, onUnauthenticated: out, timeout: 50 }), fetch, out };
}
const failure = (work: Promise<unknown>): Promise<ApiError> => work.then(() => expect.unreachable(), (e: unknown) => e as ApiError) as Promise<ApiError>;

describe("ApiClient", () => {
  test("sends query, body, If-Match and Idempotency-Key", async () => {
    const { api, fetch } = client(() => jsonResponse({ ok: true }, { status: 202 }));
    await api.post("/x", { a: 1 }, { query: { limit: 5, cursor: undefined }, ifMatch: '"3"', idempotencyKey: "k" });
    const [url, init] = fetch.mock.calls[0]!;
    const headers = new Headers(init!.headers);
    expect(url).toBe("/api/v1/x?limit=5");
    expect(init!.body).toBe('{"a":1}');
    expect(headers.get("If-Match")).toBe('"3"');
    expect(headers.get("Idempotency-Key")).toBe("k");
    expect(headers.get("Content-Type")).toBe("application/json");
  });

  test("makes an ApiError of a problem, with its request id and its own members", async () => {
    const { api } = client(() =>
      jsonResponse(
        { type: "urn:x", title: "It has changed meanwhile", status: 409, detail: "d", request_id: "r-1", request: { state: "accepted" } },
        { status: 409, type: "application/problem+json" },
      ));
    const error = await failure(api.post("/requests/1/accept"));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 409, title: "It has changed meanwhile", detail: "d", requestId: "r-1", conflict: true, transient: false });
    expect(error.body["request"]).toEqual({ state: "accepted" });
  });

  test("understands a failure that is no problem document", async () => {
    const { api } = client(() => new Response("<h1>Bad gateway</h1>", { status: 502, headers: { "Content-Type": "text/html", "X-Request-Id": "r-2" } }));
    expect(await failure(api.get("/x"))).toMatchObject({ status: 502, requestId: "r-2", transient: true });
  });

  test("takes a page of a captive portal for what it is", async () => {
    const { api } = client(() => new Response("<html>Sign in to the Wi-Fi</html>", { status: 200 }));
    expect(await failure(api.get("/x"))).toMatchObject({ fault: "foreign", transient: true });
  });

  test("tells no answer from a slow one", async () => {
    const cut = client(() => Promise.reject(new TypeError("Failed to fetch")));
    expect(await failure(cut.api.get("/x"))).toMatchObject({ fault: "network", status: undefined });
    const slow = client((_, init) => new Promise((_resolve, reject) => init.signal!.addEventListener("abort", () => reject(init.signal!.reason))));
    expect(await failure(slow.api.get("/x"))).toMatchObject({ fault: "timeout" });
  });

  test("reports a 401 and keeps Retry-After of a 429", async () => {
    const { api, out } = client(() => jsonResponse({}, { status: 401 }));
    await failure(api.get("/x"));
    expect(out).toHaveBeenCalledTimes(1);
    const busy = client(() => jsonResponse({}, { status: 429, headers: { "Retry-After": "30" } }));
    expect(await failure(busy.api.get("/x"))).toMatchObject({ retryAfter: 30_000 });
  });

  test("an abort by the caller is no ApiError", async () => {
    const { api } = client((_, init) => Promise.reject(init.signal!.reason));
    const abort = new AbortController();
    abort.abort();
    expect(await failure(api.get("/x", { signal: abort.signal }))).not.toBeInstanceOf(ApiError);
  });

  test("answers an empty 202 with nothing", async () => {
    const { api } = client(() => new Response("", { status: 202 }));
    expect(await api.post("/sync")).toBeUndefined();
  });

  test("answers 204 with nothing", async () => {
    const { api } = client(() => new Response(null, { status: 204 }));
    expect(await api.delete("/sessions/current")).toBeUndefined();
  });
});

test("newIdempotencyKey makes another key each time, without randomUUID", () => {
  vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) });
  const keys = new Set(Array.from({ length: 100 }, newIdempotencyKey));
  expect(keys.size).toBe(100);
  expect([...keys][0]).toMatch(/^[0-9a-f]{32}$/);
});
