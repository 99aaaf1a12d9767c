import { SseParser, type Frame } from "./sse";

/**
 * How the page and the program are connected. `since` and `heardAt` are this
 * browser's time in milliseconds; heardAt is the last byte, comments included.
 */
export interface Connection {
  state: "connecting" | "open" | "waiting" | "stopped";
  since: number;
  heardAt: number | undefined;
  /** Tries that failed since the last byte. */
  failures: number;
}

export interface EventStreamConfig {
  url: string;
  onFrame: (frame: Frame) => void;
  /** A connection was made; resumed says that Last-Event-ID went with it. */
  onOpen: (resumed: boolean) => void;
  onChange: (connection: Connection) => void;
  onUnauthenticated?: () => void;
  fetch?: typeof fetch;
  /** The program sends a comment each 15 s; after this silence the line counts as dead. */
  silence?: number;
  firstDelay?: number;
  longestDelay?: number;
  random?: () => number;
}

/**
 * Reads /events for ever: resumes with Last-Event-ID, waits between tries with
 * full jitter, and gives up a silent line. It reads the stream itself instead
 * of using EventSource, because EventSource hides comments (so a dead Wi-Fi
 * looks alive for minutes) and loses Last-Event-ID after an HTTP error.
 */
export class EventStream {
  readonly #c: Required<Omit<EventStreamConfig, "onUnauthenticated">> & Pick<EventStreamConfig, "onUnauthenticated">;
  #connection: Connection = { state: "stopped", since: Date.now(), heardAt: undefined, failures: 0 };
  #abort: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastEventId = "";
  #askedDelay: number | undefined;

  constructor(config: EventStreamConfig) {
    this.#c = {
      fetch: (...args) => fetch(...args),
      silence: 40_000,
      firstDelay: 500,
      longestDelay: 15_000,
      random: Math.random,
      ...config,
    };
  }

  get connection(): Connection {
    return this.#connection;
  }

  start(): void {
    if (this.#connection.state !== "stopped") return;
    void this.#connect();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#abort = undefined;
    this.#set("stopped");
  }

  /** Tries again now, when waiting or when the open line has been silent for too long to be trusted. */
  wake(): void {
    const { state, heardAt } = this.#connection;
    const silent = state === "open" && heardAt !== undefined && Date.now() - heardAt > this.#c.silence / 2;
    if (state === "waiting" || silent) {
      this.#abort?.abort();
      void this.#connect();
    }
  }

  async #connect(): Promise<void> {
    clearTimeout(this.#timer);
    const abort = new AbortController();
    this.#abort = abort;
    this.#set("connecting");
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.#lastEventId !== "") headers["Last-Event-ID"] = this.#lastEventId;
    try {
      this.#watch(abort);
      const response = await this.#c.fetch(this.#c.url, {
        headers,
        credentials: "same-origin",
        cache: "no-store",
        signal: abort.signal,
      });
      if (response.status === 401) {
        this.stop();
        this.#c.onUnauthenticated?.();
        return;
      }
      if (!response.ok || !response.body || !response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
        throw new Error(`event stream: HTTP ${response.status}`);
      }
      await this.#read(response.body, abort);
    } catch {
      // Whatever cut the line, the answer is the same: wait, then try again.
    }
    if (this.#abort === abort) this.#wait();
  }

  async #read(body: ReadableStream<Uint8Array>, abort: AbortController): Promise<void> {
    const parser = new SseParser(this.#lastEventId);
    const decoder = new TextDecoder();
    const reader = body.getReader();
    abort.signal.addEventListener("abort", () => void reader.cancel().catch(() => {}), { once: true });
    this.#connection = { ...this.#connection, failures: 0, heardAt: Date.now() };
    this.#set("open");
    this.#c.onOpen(this.#lastEventId !== "");
    for (;;) {
      this.#watch(abort);
      const { done, value } = await reader.read();
      if (done || abort.signal.aborted) return;
      this.#connection.heardAt = Date.now();
      for (const frame of parser.push(decoder.decode(value, { stream: true }))) {
        this.#lastEventId = frame.id;
        this.#c.onFrame(frame);
      }
      this.#lastEventId = parser.lastEventId;
      if (parser.retry !== undefined) this.#askedDelay = parser.retry;
    }
  }

  #watch(abort: AbortController): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => abort.abort(), this.#c.silence);
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const failures = this.#connection.failures + 1;
    this.#connection = { ...this.#connection, failures };
    this.#set("waiting");
    const base = this.#askedDelay ?? this.#c.firstDelay;
    const ceiling = Math.min(this.#c.longestDelay, base * 2 ** (failures - 1));
    const delay = Math.max(base / 2, ceiling * this.#c.random());
    this.#timer = setTimeout(() => void this.#connect(), delay);
  }

  #set(state: Connection["state"]): void {
    if (this.#connection.state === state) return;
    this.#connection = { ...this.#connection, state, since: Date.now() };
    this.#c.onChange(this.#connection);
  }
}
