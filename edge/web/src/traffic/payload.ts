import type { Content } from "./message";

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** The bytes of a payload. */
export function bytesOf({ payload = "", payload_encoding }: Content): Uint8Array {
  if (payload_encoding !== "base64") return encoder.encode(payload);
  return Uint8Array.from(atob(payload), (c) => c.charCodeAt(0));
}

/** The payload as text; undefined when it is none. */
export function textOf(content: Content): string | undefined {
  if (content.payload_encoding !== "base64") return content.payload ?? "";
  try {
    return decoder.decode(bytesOf(content));
  } catch {
    return undefined;
  }
}

/** The payload as JSON, set out to be read; undefined when it is none. */
export function jsonOf(content: Content): string | undefined {
  const value = parsed(content);
  return value === undefined ? undefined : JSON.stringify(value, undefined, 2);
}

/** An object or a list; other JSON reads best as text. */
export function parsed(content: Content): object | undefined {
  const text = textOf(content);
  if (text === undefined || !/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined;
  }
}

/** Sixteen bytes a line: where, the bytes, and the signs that they stand for. */
export function hexOf(content: Content): string {
  const bytes = bytesOf(content);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = bytes.subarray(at, at + 16);
    const hex = Array.from(part, (b) => b.toString(16).padStart(2, "0"));
    const left = hex.slice(0, 8).join(" ").padEnd(23);
    const right = hex.slice(8).join(" ").padEnd(23);
    const signs = Array.from(part, (b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : ".")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${left}  ${right}  ${signs}`);
  }
  return lines.join("\n");
}

/** One line of a payload, for a list. */
export function previewOf(content: Content): string {
  const text = textOf(content);
  if (text !== undefined) return text.replace(/\s+/g, " ").slice(0, 160);
  return Array.from(bytesOf(content).subarray(0, 32), (b) => b.toString(16).padStart(2, "0")).join(" ");
}
