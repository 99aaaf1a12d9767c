/** What the worker does with a request. */
export type Way =
  /** The page itself: the program's, else the kept one. */
  | "page"
  /** A file named by its content: kept ones first. */
  | "asset"
  /** An answer that pages can begin with while the hub is away: the hub's first, else the kept one with its age. */
  | "answer"
  /** Signing in or out: what was kept for the last person is forgotten. */
  | "forget"
  /** Nothing: the browser does as if there were no worker. */
  | "pass";

/** The lists that Calls and Devices begin with. Nothing with a secret, nothing large, no stream. */
const kept: readonly string[] = ["sessions/current", "system", "requests", "devices", "rooms", "duty", "drill"];
const api = "/api/v1/";

export interface Asked {
  method: string;
  /** Of the page's own address; others never pass. */
  path: string;
  mode: string;
}

export function wayOf({ method, path, mode }: Asked): Way {
  if (path.startsWith(api)) {
    const name = path.slice(api.length);
    if (method !== "GET") return name.startsWith("sessions") ? "forget" : "pass";
    return kept.includes(name) ? "answer" : "pass";
  }
  if (method !== "GET") return "pass";
  // The document of the API and the like are no pages of ours.
  if (path.startsWith("/api/")) return "pass";
  if (path.startsWith("/assets/")) return "asset";
  return mode === "navigate" ? "page" : "pass";
}

/** Which list an answer is a page of: the same address with the same filter, wherever in it the page begins. */
export function listOf(address: string): string {
  const url = new URL(address);
  url.searchParams.delete("cursor");
  url.searchParams.sort();
  return url.pathname + url.search;
}
