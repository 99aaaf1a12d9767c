import type { TrafficMessage } from "./message";

/** The most that one recording holds, in messages and in characters: it is in this browser's memory. */
export const mostMessages = 200_000;
const mostCharacters = 64 << 20;

/** Takes messages down as NDJSON, as the hub tells them, until it is stopped or full. */
export class Recorder {
  readonly since = Date.now();
  #parts: string[] = [];
  #characters = 0;

  get messages(): number {
    return this.#parts.length;
  }

  get full(): boolean {
    return this.#parts.length >= mostMessages || this.#characters >= mostCharacters;
  }

  add(message: TrafficMessage): void {
    if (this.full) return;
    const line = `${JSON.stringify(message)}\n`;
    this.#parts.push(line);
    this.#characters += line.length;
  }

  /** The file's content. */
  text(): string {
    return this.#parts.join("");
  }

  /** traffic-2026-03-01T12-00-00.ndjson */
  get name(): string {
    return `traffic-${new Date(this.since).toISOString().slice(0, 19).replaceAll(":", "-")}.ndjson`;
  }
}
