/** Something that tells its readers once what happened in a batch. */
export interface Notifier {
  notify(): void;
}

/**
 * Gathers changes so that readers hear of them together. Frames from the
 * stream are applied in order, at most once each `interval`; the first after a
 * pause is applied at once, so that a call rings without delay.
 */
export class Batcher {
  readonly #interval: number;
  readonly #dirty = new Set<Notifier>();
  #queue: (() => void)[] = [];
  #depth = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(interval = 100) {
    this.#interval = interval;
  }

  /** Applies work with the next batch, after everything queued before it. */
  queue(work: () => void): void {
    this.#queue.push(work);
    if (this.#timer === undefined) this.#drain();
  }

  /** Runs work now; readers are told when it is over. */
  run(work: () => void): void {
    this.#depth++;
    try {
      work();
    } finally {
      this.#depth--;
      if (this.#depth === 0) this.#tell();
    }
  }

  /** Called by stores when they changed. */
  changed(notifier: Notifier): void {
    this.#dirty.add(notifier);
    if (this.#depth === 0) this.#tell();
  }

  #drain(): void {
    const work = this.#queue;
    this.#queue = [];
    if (work.length === 0) {
      this.#timer = undefined;
      return;
    }
    this.#timer = setTimeout(() => this.#drain(), this.#interval);
    this.run(() => {
      for (const step of work) step();
    });
  }

  #tell(): void {
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    for (const notifier of dirty) notifier.notify();
  }
}
