import { openDB, type DBSchema, type IDBPDatabase } from "idb";
import type { QueuedAction } from "./action";

interface Schema extends DBSchema {
  actions: { key: string; value: QueuedAction };
}

/** Where the actions are kept: in this browser, for its pages and its worker. */
export interface ActionStore {
  all(): Promise<QueuedAction[]>;
  put(action: QueuedAction): Promise<void>;
  remove(key: string): Promise<void>;
  /** Changes one in one transaction; `change` returns what it is to be, or undefined to leave it. The answer is the same. */
  change(key: string, change: (action: QueuedAction) => QueuedAction | undefined): Promise<QueuedAction | undefined>;
}

/** The store in IndexedDB, which pages over plain HTTP have, too. */
export class DatabaseStore implements ActionStore {
  #opened: Promise<IDBPDatabase<Schema>> | undefined;
  readonly #name: string;

  constructor(name = "obedio-actions") {
    this.#name = name;
  }

  async all(): Promise<QueuedAction[]> {
    const actions = await (await this.#db()).getAll("actions");
    return actions.sort((a, b) => a.order - b.order);
  }

  async put(action: QueuedAction): Promise<void> {
    await (await this.#db()).put("actions", action);
  }

  async remove(key: string): Promise<void> {
    await (await this.#db()).delete("actions", key);
  }

  async change(key: string, change: (action: QueuedAction) => QueuedAction | undefined): Promise<QueuedAction | undefined> {
    const tx = (await this.#db()).transaction("actions", "readwrite");
    const held = await tx.store.get(key);
    const next = held && change(held);
    if (next) await tx.store.put(next);
    await tx.done;
    return next;
  }

  #db(): Promise<IDBPDatabase<Schema>> {
    this.#opened ??= openDB<Schema>(this.#name, 1, {
      upgrade: (db) => void db.createObjectStore("actions", { keyPath: "key" }),
      terminated: () => void (this.#opened = undefined),
    }).catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }
}
