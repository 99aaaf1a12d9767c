/**
 * The program's time as this browser knows it, and one shared tick a second
 * for everything on the page that counts. The browser's own clock may be wrong
 * by years; only its differences are used.
 */
export class Clock {
  readonly #local: () => number;
  readonly #readers = new Set<() => void>();
  #offset = 0;
  #tick = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(local: () => number = Date.now) {
    this.#local = local;
  }

  /** The program's time now, in milliseconds. */
  now(): number {
    return this.#local() + this.#offset;
  }

  /** The program's time of the last tick: the same for every reader within one render. */
  tick = (): number => {
    if (this.#timer === undefined) this.#tick = Math.floor(this.now() / 1000) * 1000;
    return this.#tick;
  };

  /** The program's time for a time of this browser. */
  at(local: number): number {
    return local + this.#offset;
  }

  /**
   * Learns the difference between both clocks from an answer that held the
   * program's time, asked for at `sent` and received at `received` (local).
   */
  observe(serverNow: string, sent: number, received: number): void {
    const server = Date.parse(serverNow);
    if (Number.isNaN(server)) return;
    this.#offset = server - (sent + received) / 2;
    this.#beat();
  }

  subscribe = (reader: () => void): (() => void) => {
    this.#readers.add(reader);
    if (this.#readers.size === 1) {
      document.addEventListener("visibilitychange", this.#visible);
      this.#schedule();
    }
    return () => {
      this.#readers.delete(reader);
      if (this.#readers.size > 0) return;
      document.removeEventListener("visibilitychange", this.#visible);
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  };

  #visible = (): void => {
    if (document.visibilityState === "visible") this.#beat();
  };

  #beat(): void {
    this.#tick = Math.floor(this.now() / 1000) * 1000;
    for (const reader of this.#readers) reader();
  }

  #schedule(): void {
    this.#tick = Math.floor(this.now() / 1000) * 1000;
    const wait = 1000 - (((this.now() % 1000) + 1000) % 1000);
    this.#timer = setTimeout(() => {
      this.#schedule();
      if (document.visibilityState !== "hidden") this.#beat();
    }, wait);
  }
}
