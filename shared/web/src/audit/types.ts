// The audit as both programs' API has it.

export interface AuditEntry {
  chain: string;
  n: number;
  at: string;
  clock_trusted: boolean;
  actor: { kind: string; id: string; person_id?: string; name?: string };
  action: string;
  target?: string;
  detail?: Record<string, string>;
  prev?: string;
  hash: string;
}

export interface AuditChain {
  chain: string;
  entries: number;
  head: string;
  ok: boolean;
  first_bad?: number;
  what?: string;
  continues?: { chain: string; n: number };
}

export interface AuditVerification {
  ok: boolean;
  chains: AuditChain[];
}

/** Which entries are wanted; as texts, so that an address can hold them. */
export interface AuditFilter {
  actor?: string;
  action?: string;
  target?: string;
  /** Days, YYYY-MM-DD: both are shown whole. */
  from?: string;
  to?: string;
}
