import type { Batcher, Notifier } from "./batch";

/** One value outside of React, such as the state of the system. */
export class Cell<T> implements Notifier {
  readonly #batcher: Batcher;
  readonly #readers = new Set<() => void>();
  #value: T;

  constructor(batcher: Batcher, value: T) {
    this.#batcher = batcher;
    this.#value = value;
  }

  get = (): T => this.#value;

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    this.#batcher.changed(this);
  }

  subscribe = (reader: () => void): (() => void) => {
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  };

  notify(): void {
    for (const reader of this.#readers) reader();
  }
}
