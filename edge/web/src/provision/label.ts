/** What the printed label of a device says of it. */
export interface Label {
  hardwareId: string;
  keyHash: string;
}

const hardware = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export function validHardwareId(text: string): boolean {
  return hardware.test(text);
}

/** The hash as the hub takes it: 64 digits, whatever is between them in print; undefined when it is none. */
export function keyHashOf(text: string): string | undefined {
  const digits = text.replace(/[\s:-]/g, "").toLowerCase();
  return /^[0-9a-f]{64}$/.test(digits) ? digits : undefined;
}

/** Reads a scanned code; undefined when it is not that of a label. */
export function parseLabel(text: string): Label | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { hardware_id: id, key_hash: key } = value as Record<string, unknown>;
  if (typeof id !== "string" || typeof key !== "string" || !validHardwareId(id)) return undefined;
  const keyHash = keyHashOf(key);
  return keyHash === undefined ? undefined : { hardwareId: id, keyHash };
}

/** A room's id made of its name: "Owner's suite 2" → owner-s-suite-2. Empty when nothing is left. */
export function roomIdOf(name: string): string {
  return name
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 64);
}
