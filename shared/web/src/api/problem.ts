/** One wrong field of a request, as RFC 9457 problems name it. */
export interface FieldError {
  /** Where: body.name, query.limit. */
  location?: string;
  message: string;
}

/** The body of an application/problem+json answer. */
export interface Problem {
  type?: string;
  title: string;
  status: number;
  detail?: string;
  request_id?: string;
  errors?: FieldError[];
}

/** Why no answer could be used: the way was cut, it took too long, or what came was not from our program. */
export type LinkFault = "network" | "timeout" | "foreign";

/**
 * A request that did not succeed. With `status` the program answered; without,
 * `fault` says why there was no answer. `body` holds members beyond the
 * standard ones, such as the request that somebody else has accepted.
 */
export class ApiError extends Error {
  readonly status: number | undefined;
  readonly fault: LinkFault | undefined;
  readonly title: string;
  readonly detail: string | undefined;
  readonly requestId: string | undefined;
  readonly errors: readonly FieldError[];
  /** Milliseconds to wait before another try, when the program said so. */
  readonly retryAfter: number | undefined;
  readonly body: Readonly<Record<string, unknown>>;

  constructor(init: {
    status?: number;
    fault?: LinkFault;
    title: string;
    detail?: string;
    requestId?: string;
    errors?: FieldError[];
    retryAfter?: number;
    body?: Record<string, unknown>;
    cause?: unknown;
  }) {
    super(init.detail ? `${init.title}: ${init.detail}` : init.title, { cause: init.cause });
    this.name = "ApiError";
    this.status = init.status;
    this.fault = init.fault;
    this.title = init.title;
    this.detail = init.detail;
    this.requestId = init.requestId;
    this.errors = init.errors ?? [];
    this.retryAfter = init.retryAfter;
    this.body = init.body ?? {};
  }

  /** True when the same request may succeed later without any change. */
  get transient(): boolean {
    return this.fault !== undefined || this.status === 429 || (this.status !== undefined && this.status >= 500);
  }

  get conflict(): boolean {
    return this.status === 409;
  }
}

/** Reads an unsuccessful answer. Never throws: what is not a problem document becomes one. */
export async function problemOf(response: Response): Promise<ApiError> {
  const requestId = response.headers.get("X-Request-Id") ?? undefined;
  const retryAfter = retryAfterOf(response.headers.get("Retry-After"));
  let body: Record<string, unknown> = {};
  if (/\bjson\b/.test(response.headers.get("Content-Type") ?? "")) {
    const parsed: unknown = await response.json().catch(() => undefined);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
      body = parsed as Record<string, unknown>;
    }
  }
  const p = body as Partial<Problem>;
  return new ApiError({
    status: response.status,
    title: typeof p.title === "string" && p.title ? p.title : response.statusText || `HTTP ${response.status}`,
    detail: typeof p.detail === "string" ? p.detail : undefined,
    requestId: typeof p.request_id === "string" ? p.request_id : requestId,
    errors: Array.isArray(p.errors) ? p.errors : [],
    retryAfter,
    body,
  });
}

function retryAfterOf(header: string | null): number | undefined {
  if (header === null) return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
