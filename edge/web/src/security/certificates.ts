import { ApiError, type ApiClient, type Collection, type FilterSchema } from "@obedio/web";
import type { Certificate, IssuedCertificate } from "../api/resources";

export const certificateKey = (c: Certificate) => c.serial;

/** The filter words: the same as those of the hub's list. */
export const certificateFilter: FilterSchema<Certificate> = {
  fields: {
    state: { kind: "text", read: (c) => c.state },
    kind: { kind: "text", read: (c) => c.kind },
    device: { kind: "text", read: (c) => c.device_id },
    serial: { kind: "text", read: (c) => c.serial },
  },
  text: (c) => [c.serial, c.device_id, c.kind],
};

export const certificateWords = Object.keys(certificateFilter.fields);

export const certificateSorts = ["expires", "device", "state", "issued"] as const;
export type CertificateSort = (typeof certificateSorts)[number];

export function certificateSortNamed(name: string | undefined): CertificateSort {
  return certificateSorts.find((s) => s === name) ?? "expires";
}

// What somebody should look at first; what counts no more comes last.
const urgency: Record<Certificate["state"], number> = { expired: 0, due: 1, valid: 2, revoked: 3 };

export function compareCertificates(sort: CertificateSort, collator: Intl.Collator): (a: Certificate, b: Certificate) => number {
  const byEnd = (a: Certificate, b: Certificate) =>
    Number(a.state === "revoked") - Number(b.state === "revoked") || a.not_after.localeCompare(b.not_after) || a.serial.localeCompare(b.serial);
  switch (sort) {
    case "expires":
      return byEnd;
    case "device":
      return (a, b) => collator.compare(a.device_id ?? "", b.device_id ?? "") || byEnd(a, b);
    case "state":
      return (a, b) => urgency[a.state] - urgency[b.state] || byEnd(a, b);
    case "issued":
      return (a, b) => a.issued_at.localeCompare(b.issued_at) || a.serial.localeCompare(b.serial);
  }
}

export function countStates(certificates: Collection<Certificate>): Record<Certificate["state"], number> {
  const counts = { valid: 0, due: 0, expired: 0, revoked: 0 };
  for (const c of certificates.values()) counts[c.state]++;
  return counts;
}

export const revocationReasons = ["unspecified", "key_compromise", "superseded", "cessation_of_operation"] as const;
export type RevocationReason = (typeof revocationReasons)[number];

/** Revokes; one that another has revoked meanwhile is revoked too. */
export async function revoke(api: ApiClient, serial: string, reason: RevocationReason): Promise<void> {
  try {
    await api.delete(`/security/certificates/${encodeURIComponent(serial)}`, { query: { reason } });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 409) throw error;
  }
}

export function issue(api: ApiClient, deviceId: string, csr: string): Promise<IssuedCertificate> {
  return api.post("/security/certificates", { device_id: deviceId, ...(csr.trim() ? { csr: csr.trim() } : {}) });
}

/** A file with all that a device needs: its key, its certificate, and whom it trusts. */
export function bundleOf(issued: IssuedCertificate): string {
  return [issued.private_key, issued.certificate, issued.chain].filter(Boolean).map((pem) => `${pem!.trim()}\n`).join("");
}

/** The serial number in groups, as people compare it. */
export function groups(hex: string): string {
  return hex.replace(/(.{4})(?=.)/g, "$1 ");
}
