import { ApiError, problemOf } from "./problem";

/** One page of a list; next_cursor is null on the last. */
export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export type Query = Record<string, string | number | undefined>;

export interface RequestOptions {
  query?: Query;
  signal?: AbortSignal;
  /** The ETag the change is based on; sent as If-Match. */
  ifMatch?: string;
  /** The same key makes a repeated POST have its effect once. */
  idempotencyKey?: string;
  /** Milliseconds, for what takes longer than the client's own limit. */
  timeout?: number;
}

export interface ApiClientConfig {
  /** Without a trailing slash, such as "/api/v1". */
  base: string;
  fetch?: typeof fetch;
  /** Milliseconds until a request without an answer is given up. */
  timeout?: number;
  /** Called after every 401, for instance to show the sign-in page. */
  onUnauthenticated?: () => void;
  /** Called when an answer is one that the service worker has kept; at is when it came, in this browser's time. */
  onKept?: (at: number) => void;
}

/** The header by which the service worker says when an answer that it has kept came. */
export const keptHeader = "X-Kept-At";


/**
 * Talks JSON to our own program, with the session's cookie. Every failure is
 * an ApiError. Holds no state; safe to share.
 */
export class ApiClient {
  readonly #config: Required<Omit<ApiClientConfig, "onUnauthenticated" | "onKept">> & Pick<ApiClientConfig, "onUnauthenticated" | "onKept">;

  constructor(config: ApiClientConfig) {
    this.#config = { fetch: (...args) => fetch(...args), timeout: 20_000, ...config };
  }

  get<T>(path: string, options?: RequestOptions): Promise<T> {
    return this.#send<T>("GET", path, undefined, options);
  }

  post<T>(path: string, body?: unknown, options?: RequestOptions): Promise<T> {
    return this.#send<T>("POST", path, body, options);
  }

  put<T>(path: string, body: unknown, options?: RequestOptions): Promise<T> {
    return this.#send<T>("PUT", path, body, options);
  }

  delete(path: string, options?: RequestOptions): Promise<void> {
    return this.#send<void>("DELETE", path, undefined, options);
  }

  /** Where path is on the program, for links and event streams. */
  url(path: string, query?: Query): string {
    const search = new URLSearchParams();
    for (const [key, value] of Object.entries(query ?? {})) {
      if (value !== undefined) search.set(key, String(value));
    }
    const tail = search.size > 0 ? `?${search}` : "";
    return `${this.#config.base}${path}${tail}`;
  }

  /** Sends plain text and takes the answer as text, such as a drawing of it. */
  async postText(path: string, text: string, options?: RequestOptions): Promise<string> {
    const response = await this.#fetch("POST", path, { type: "text/plain", text }, "*/*", options);
    return response.text();
  }

  async #send<T>(method: string, path: string, body: unknown, options: RequestOptions = {}): Promise<T> {
    const sent = body === undefined ? undefined : { type: "application/json", text: JSON.stringify(body) };
    const response = await this.#fetch(method, path, sent, "application/json, application/problem+json", options);
    if (response.status === 204) return undefined as T;
    try {
      const text = await response.text();
      // "Accepted" may have nothing to say.
      if (response.status === 202 && text === "") return undefined as T;
      return JSON.parse(text) as T;
    } catch (cause) {
      if (options.signal?.aborted) throw cause;
      // A captive portal answers 200 with a page of its own.
      throw new ApiError({ status: response.status, fault: "foreign", title: "foreign", cause });
    }
  }

  async #fetch(method: string, path: string, body: { type: string; text: string } | undefined, accept: string, options: RequestOptions = {}): Promise<Response> {
    const headers: Record<string, string> = { Accept: accept };
    if (body !== undefined) headers["Content-Type"] = body.type;
    if (options.ifMatch !== undefined) headers["If-Match"] = options.ifMatch;
    if (options.idempotencyKey !== undefined) headers["Idempotency-Key"] = options.idempotencyKey;
    const timeout = AbortSignal.timeout(options.timeout ?? this.#config.timeout);
    let response: Response;
    try {
      response = await this.#config.fetch(this.url(path, options.query), {
        method,
        headers,
        body: body === undefined ? null : body.text,
        credentials: "same-origin",
        signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
      });
    } catch (cause) {
      if (options.signal?.aborted) throw cause;
      const fault = timeout.aborted ? "timeout" : "network";
      throw new ApiError({ fault, title: fault, cause });
    }
    if (!response.ok) {
      const problem = await problemOf(response);
      if (problem.status === 401) this.#config.onUnauthenticated?.();
      throw problem;
    }
    const kept = Number(response.headers.get(keptHeader));
    if (kept > 0) this.#config.onKept?.(kept);
    return response;
  }
}

/** A fresh Idempotency-Key. Works over plain HTTP too, where randomUUID is not there. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
