import { ApiError } from "../api/problem";
import type { ApiClient, Page } from "../api/client";
import { auditQuery } from "./query";
import type { AuditEntry, AuditFilter, AuditVerification } from "./types";

/** So many entries come at once. */
const pageSize = 100;
/** A verification reads every entry; a large audit on a small board takes its time. */
const verifyTimeout = 120_000;

/** One audit of a program: its own, or that of a site. Holds no state. */
export class Audit {
  readonly #api: ApiClient;
  readonly #path: string;

  /** path is that of the list, such as /audit. */
  constructor(api: ApiClient, path: string) {
    this.#api = api;
    this.#path = path;
  }

  page(filter: AuditFilter, cursor: string | undefined, signal: AbortSignal): Promise<Page<AuditEntry>> {
    return this.#api.get(this.#path, { query: { ...auditQuery(filter), limit: pageSize, cursor }, signal });
  }

  verify(signal: AbortSignal): Promise<AuditVerification> {
    return this.#api.get(`${this.#path}/verify`, { signal, timeout: verifyTimeout });
  }

  exportURL(filter: AuditFilter, format: "csv" | "ndjson"): string {
    return this.#api.url(`${this.#path}/export`, { ...auditQuery(filter), format });
  }
}

export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  throw error;
}
