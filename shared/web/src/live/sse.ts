/** One dispatched event of a text/event-stream. */
export interface Frame {
  event: string;
  data: string;
  /** The stream's last event id, as it stands after this frame. */
  id: string;
}

/**
 * Cuts a text/event-stream into frames, whatever the chunks are. Follows the
 * HTML standard, section 9.2.6; comments count as signs of life for the caller
 * and yield nothing.
 */
export class SseParser {
  #rest = "";
  #event = "";
  #data: string[] = [];
  #id: string;
  #lastEventId: string;
  /** Milliseconds the program asked to wait before a reconnect, if it did. */
  retry: number | undefined;

  constructor(lastEventId = "") {
    this.#id = lastEventId;
    this.#lastEventId = lastEventId;
  }

  /** Where to resume. A frame without data moves it too. */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  push(chunk: string): Frame[] {
    const frames: Frame[] = [];
    const text = this.#rest + chunk;
    // A CR at the very end may be the first half of a CRLF.
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        this.#lastEventId = this.#id;
        if (this.#data.length > 0) {
          frames.push({ event: this.#event || "message", data: this.#data.join("\n"), id: this.#id });
        }
        this.#event = "";
        this.#data = [];
        continue;
      }
      this.#field(line);
    }
    return frames;
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    switch (name) {
      case "event":
        this.#event = value;
        break;
      case "data":
        this.#data.push(value);
        break;
      case "id":
        if (!value.includes("\0")) this.#id = value;
        break;
      case "retry":
        if (/^\d+$/.test(value)) this.retry = Number(value);
        break;
    }
  }
}
