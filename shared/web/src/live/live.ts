import type { Batcher } from "./batch";
import { Cell } from "./cell";
import { EventStream, type Connection } from "./event-stream";
import type { Frame } from "./sse";

export interface LiveConfig {
  url: string;
  batcher: Batcher;
  /** What each event does to the stores; an unknown event does nothing. */
  handlers: Readonly<Record<string, (data: never) => void>>;
  /** Reads everything anew: at the first connection and after `resync`. */
  reload: () => void;
  onUnauthenticated?: () => void;
  fetch?: typeof fetch;
}

/**
 * Keeps the stores equal to the program: applies events in order and in
 * batches, and reads lists only when the program says that events were missed.
 */
export class Live {
  readonly connection: Cell<Connection>;
  readonly #c: LiveConfig;
  readonly #stream: EventStream;
  // The lists have been read once since start.
  #current = false;
  // The lists were read when this connection opened, and no frame has come yet.
  #covered = false;
  // One unreadable event per connection leads to a reading; more of them do not.
  #distrusted = false;

  constructor(config: LiveConfig) {
    this.#c = config;
    this.#stream = new EventStream({
      url: config.url,
      ...(config.fetch ? { fetch: config.fetch } : {}),
      onFrame: (frame) => this.#frame(frame),
      onOpen: (resumed) => {
        this.#distrusted = false;
        this.#covered = !resumed || !this.#current;
        // Events are flowing from here on, so a reading that begins now misses none.
        if (this.#covered) this.#reload();
      },
      onChange: (connection) => this.connection.set(connection),
      onUnauthenticated: () => config.onUnauthenticated?.(),
    });
    this.connection = new Cell(config.batcher, this.#stream.connection);
  }

  /** Starts reading; the returned function stops it. */
  start(): () => void {
    const wake = () => this.#stream.wake();
    const seen = () => document.visibilityState === "visible" && wake();
    addEventListener("online", wake);
    document.addEventListener("visibilitychange", seen);
    this.#current = false;
    this.#stream.start();
    return () => {
      removeEventListener("online", wake);
      document.removeEventListener("visibilitychange", seen);
      this.#stream.stop();
    };
  }

  /** Tries the connection again now. */
  wake(): void {
    this.#stream.wake();
  }

  #frame(frame: Frame): void {
    const covered = this.#covered;
    this.#covered = false;
    if (frame.event === "resync") {
      if (!covered) this.#c.batcher.queue(() => this.#reload());
      return;
    }
    const handler = this.#c.handlers[frame.event] as ((data: unknown) => void) | undefined;
    if (!handler) return;
    this.#c.batcher.queue(() => {
      try {
        handler(JSON.parse(frame.data));
      } catch {
        // An event that cannot be read must not end the stream, but the lists may now be behind.
        if (!this.#distrusted) this.#reload();
        this.#distrusted = true;
      }
    });
  }

  #reload(): void {
    this.#current = true;
    this.#c.reload();
  }
}
