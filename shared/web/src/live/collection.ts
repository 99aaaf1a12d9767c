import type { Page } from "../api/client";
import type { ApiError } from "../api/problem";
import type { Batcher, Notifier } from "./batch";

/** How far a collection has been read from the program. */
export interface CollectionStatus {
  phase: "unread" | "loading" | "ready" | "partial" | "failed";
  /** Why the last reading stopped, in phase partial and failed. */
  error: ApiError | undefined;
  /** When the last whole reading ended, in this browser's milliseconds. */
  loadedAt: number | undefined;
}

export interface CollectionConfig<T> {
  key: (item: T) => string;
  batcher: Batcher;
  /** False when `next` is older than what is held, and is dropped. */
  supersedes?: (next: T, held: T) => boolean;
}

/**
 * The keyed set of one kind of thing, outside of React. Events write into it
 * one by one; a reading of the whole list is laid under them, so that what an
 * event has said since the reading began is never undone by it. Used from the
 * browser's one thread.
 */
export class Collection<T> implements Notifier {
  readonly #c: CollectionConfig<T>;
  readonly #items = new Map<string, T>();
  // Keys that an event wrote or removed since the reading under way began.
  readonly #touched = new Set<string>();
  readonly #keyReaders = new Map<string, Set<() => void>>();
  readonly #readers = new Set<() => void>();
  readonly #changedKeys = new Set<string>();
  #ids: readonly string[] | undefined;
  #version = 0;
  #status: CollectionStatus = { phase: "unread", error: undefined, loadedAt: undefined };
  #reading: AbortController | undefined;

  constructor(config: CollectionConfig<T>) {
    this.#c = config;
  }

  get(id: string): T | undefined {
    return this.#items.get(id);
  }

  /** The keys in order of arrival; the same array as long as none came or went. */
  ids(): readonly string[] {
    this.#ids ??= [...this.#items.keys()];
    return this.#ids;
  }

  values(): IterableIterator<T> {
    return this.#items.values();
  }

  get size(): number {
    return this.#items.size;
  }

  /** Grows with every change of any item or of the status. */
  get version(): number {
    return this.#version;
  }

  get status(): CollectionStatus {
    return this.#status;
  }

  /** What an event or an answer says about one item. */
  upsert(item: T): void {
    const id = this.#c.key(item);
    const held = this.#items.get(id);
    if (held !== undefined && this.#c.supersedes && !this.#c.supersedes(item, held)) return;
    if (this.#status.phase === "loading") this.#touched.add(id);
    this.#write(id, item);
  }

  remove(id: string): void {
    if (this.#status.phase === "loading") this.#touched.add(id);
    this.#drop(id);
  }

  /** Forgets everything, for instance after signing out. */
  clear(): void {
    this.#reading?.abort();
    for (const id of this.#items.keys()) this.#drop(id);
    this.#touched.clear();
    this.#setStatus({ phase: "unread", error: undefined, loadedAt: undefined });
  }

  /**
   * Reads the whole list, page by page, showing each page as it comes. A newer
   * call replaces one under way. Rejects never: the status says what happened.
   */
  async load(page: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>): Promise<void> {
    this.#reading?.abort();
    const reading = new AbortController();
    this.#reading = reading;
    this.#touched.clear();
    const seen = new Set<string>();
    this.#setStatus({ ...this.#status, phase: "loading", error: undefined });
    try {
      let cursor: string | undefined;
      do {
        const { items, next_cursor } = await page(cursor, reading.signal);
        if (reading.signal.aborted) return;
        this.#c.batcher.run(() => {
          for (const item of items) {
            const id = this.#c.key(item);
            seen.add(id);
            if (!this.#touched.has(id)) this.#write(id, item);
          }
        });
        cursor = next_cursor ?? undefined;
      } while (cursor !== undefined);
      this.#c.batcher.run(() => {
        for (const id of this.#items.keys()) {
          if (!seen.has(id) && !this.#touched.has(id)) this.#drop(id);
        }
        this.#setStatus({ phase: "ready", error: undefined, loadedAt: Date.now() });
      });
    } catch (error) {
      if (reading.signal.aborted) return;
      this.#setStatus({
        ...this.#status,
        phase: this.#items.size > 0 ? "partial" : "failed",
        error: error as ApiError,
      });
    }
  }

  subscribe = (reader: () => void): (() => void) => {
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  };

  subscribeKey(id: string, reader: () => void): () => void {
    const readers = this.#keyReaders.get(id) ?? new Set();
    this.#keyReaders.set(id, readers.add(reader));
    return () => {
      readers.delete(reader);
      if (readers.size === 0 && this.#keyReaders.get(id) === readers) this.#keyReaders.delete(id);
    };
  }

  notify(): void {
    const keys = [...this.#changedKeys];
    this.#changedKeys.clear();
    for (const key of keys) {
      for (const reader of this.#keyReaders.get(key) ?? []) reader();
    }
    for (const reader of this.#readers) reader();
  }

  #write(id: string, item: T): void {
    if (!this.#items.has(id)) this.#ids = undefined;
    this.#items.set(id, item);
    this.#change(id);
  }

  #drop(id: string): void {
    if (!this.#items.delete(id)) return;
    this.#ids = undefined;
    this.#change(id);
  }

  #setStatus(status: CollectionStatus): void {
    this.#status = status;
    this.#change();
  }

  #change(id?: string): void {
    this.#version++;
    if (id !== undefined) this.#changedKeys.add(id);
    this.#c.batcher.changed(this);
  }
}
