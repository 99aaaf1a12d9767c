// The service worker: the shell opens without the hub, the lists that pages
// begin with are shown with their age, and Background Sync sends what waits.
import { ApiClient, keptHeader } from "@obedio/web/api";
import { drain } from "../queue/drain";
import { DatabaseStore } from "../queue/store";
import { syncTag } from "../queue/tag";
import { listOf, wayOf } from "./routes";

declare const self: ServiceWorkerGlobalScope;
/** Written by the build: the shell's addresses, and a name that is another one whenever they are. */
declare const SHELL: readonly string[];
declare const BUILD: string;

const shellPrefix = "shell-";
const shell = shellPrefix + BUILD;
const answers = "answers";
/** How many answers of one address are kept at least: a thousand devices are two. */
const keptPages = 16;
/** Milliseconds until a kept answer is shown instead: a Wi-Fi that swallows everything gives no error. */
const patience = 4000;
/** A page that is open may still ask for a file of the shell before this one. */
const shellsKept = 2;

interface SyncEvent extends ExtendableEvent {
  readonly tag: string;
}

self.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(shell);
      await cache.addAll(SHELL.map((path) => new Request(path, { cache: path.startsWith("/assets/") ? "default" : "no-cache" })));
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      const shells = (await caches.keys()).filter((name) => name.startsWith(shellPrefix) && name !== shell);
      await Promise.all(shells.slice(0, Math.max(0, shells.length - shellsKept + 1)).map((name) => caches.delete(name)));
      await self.clients.claim();
    })(),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  switch (wayOf({ method: request.method, path: url.pathname, mode: request.mode })) {
    case "page":
      event.respondWith(page(request));
      return;
    case "asset":
      event.respondWith(asset(request));
      return;
    case "answer":
      event.respondWith(answer(event, url));
      return;
    case "forget":
      event.waitUntil(caches.delete(answers));
      return;
    case "pass":
  }
});

/** Sends what waits while no page is open, or the page has not heard that the hub is back. */
self.addEventListener("sync", (event) => {
  const { tag } = event as SyncEvent;
  if (tag === syncTag) (event as SyncEvent).waitUntil(send());
});

async function send(): Promise<void> {
  // Pages tell their person what became of each.
  const pages = await self.clients.matchAll({ type: "window" });
  if (pages.length > 0) {
    for (const open of pages) {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a page of this worker, not a window
      open.postMessage(syncTag);
    }
    return;
  }
  const api = new ApiClient({ base: "/api/v1" });
  const { user } = await api.get<{ user: { user_id: string } }>("/sessions/current");
  const report = await drain(new DatabaseStore(), api, user.user_id);
  // The browser asks again later, by its own measure.
  if (report.again) throw new Error("the hub is not there yet");
}

async function page(request: Request): Promise<Response> {
  try {
    return await within(fetch(request));
  } catch {
    return (await caches.match("/", { cacheName: shell })) ?? fetch(request);
  }
}

async function asset(request: Request): Promise<Response> {
  // The copies differ in encoding only, which the browser has undone.
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}

async function answer(event: FetchEvent, url: URL): Promise<Response> {
  const cache = await caches.open(answers);
  const fresh = fetch(event.request).then(async (response) => {
    if (response.status === 401) await caches.delete(answers);
    else if (response.ok) await keep(cache, url, response.clone());
    return response;
  });
  event.waitUntil(fresh.catch(() => {}));
  const old = await cache.match(event.request, { ignoreVary: true });
  if (!old) return fresh;
  try {
    const response = await within(fresh);
    // A proxy or the hub on its way up or down; the last good answer is better.
    return response.status >= 502 ? old : response;
  } catch {
    return old;
  }
}

async function keep(cache: Cache, url: URL, response: Response): Promise<void> {
  if (!url.searchParams.has("cursor")) {
    // A first page begins a list anew, which may have fewer pages than before. A page that was
    // asked for with other filters is another list; of those of one address the oldest go.
    const same = (await cache.keys()).filter((held) => new URL(held.url).pathname === url.pathname);
    for (const [i, held] of same.entries()) {
      if (listOf(held.url) === listOf(url.href) || i < same.length - keptPages) await cache.delete(held);
    }
  }
  const headers = new Headers(response.headers);
  headers.set(keptHeader, String(Date.now()));
  // The body is here without the encoding that it came in.
  headers.delete("Content-Encoding");
  headers.delete("Content-Length");
  await cache.put(url.href, new Response(await response.blob(), { headers }));
}

function within(response: Promise<Response>): Promise<Response> {
  return Promise.race([
    response,
    new Promise<never>((_, reject) => setTimeout(() => reject(new Error("no answer in time")), patience)),
  ]);
}
