import { Cell, newIdempotencyKey, type ApiClient, type Batcher } from "@obedio/web";
import type { QueuedAction } from "./action";
import { drain, type DrainReport } from "./drain";
import type { ActionStore } from "./store";
import { syncTag } from "./tag";

export interface ActionQueueConfig {
  store: ActionStore;
  api: ApiClient;
  batcher: Batcher;
  /** Who is signed in; nothing is sent while nobody is. */
  userId: () => string | undefined;
  /** What became of the actions that were sent, refused or must be asked about again. */
  onDrained: (report: DrainReport) => void;
  /** Milliseconds between tries while something waits. */
  every?: number;
}

/** An action as it is wanted; the queue adds whose it is and since when it waits. */
export type Wanted = Omit<QueuedAction, "key" | "queuedAt" | "order" | "state" | "userId">;

/** Background Sync, where the browser has it. */
interface SyncRegistration extends ServiceWorkerRegistration {
  readonly sync?: { register(tag: string): Promise<void> };
}

/**
 * The actions that wait for the hub. They are sent when the page starts, when
 * the stream opens again, when the page is seen, when the browser has a
 * network, by a timer, and by the worker where Background Sync exists: that
 * alone would fail when the Wi-Fi stays and only the hub restarts.
 */
export class ActionQueue {
  /** All of them, the oldest first. */
  readonly actions: Cell<readonly QueuedAction[]>;
  readonly #c: ActionQueueConfig;
  #timer: ReturnType<typeof setInterval> | undefined;
  #draining: Promise<void> | undefined;
  #last = 0;

  constructor(config: ActionQueueConfig) {
    this.#c = config;
    this.actions = new Cell<readonly QueuedAction[]>(config.batcher, []);
  }

  /** Begins to send; the returned function stops it. What waits is kept. */
  start(): () => void {
    const send = () => void this.drain();
    const seen = () => document.visibilityState === "visible" && send();
    addEventListener("online", send);
    document.addEventListener("visibilitychange", seen);
    const told = (event: MessageEvent) => event.data === syncTag && send();
    navigator.serviceWorker?.addEventListener("message", told);
    this.#timer = setInterval(() => this.actions.get().some((a) => a.state === "waiting") && send(), this.#c.every ?? 10_000);
    send();
    return () => {
      removeEventListener("online", send);
      document.removeEventListener("visibilitychange", seen);
      navigator.serviceWorker?.removeEventListener("message", told);
      clearInterval(this.#timer);
    };
  }

  /** Keeps an action that was wanted at that time, under its key. */
  async add(wanted: Wanted, key = newIdempotencyKey(), queuedAt = Date.now()): Promise<void> {
    const userId = this.#c.userId();
    if (userId === undefined) throw new Error("queue: nobody is signed in");
    this.#last = Math.max(queuedAt, this.#last + 1);
    await this.#c.store.put({ ...wanted, key, userId, queuedAt, order: this.#last, state: "waiting" });
    await this.#read();
    void askForSync();
  }

  /** Takes one back, or puts away what was refused. False when it is being sent at this moment. */
  async revoke(key: string): Promise<boolean> {
    const free = await this.#c.store.change(key, (a) => (a.sendingUntil !== undefined && a.sendingUntil > Date.now() ? undefined : { ...a, state: "refused" }));
    if (free) await this.#c.store.remove(key);
    await this.#read();
    return free !== undefined;
  }

  /** A person wants an old command sent after all: it is as fresh as this moment. */
  async renew(key: string): Promise<void> {
    await this.#c.store.change(key, (a) => ({ ...a, state: "waiting", queuedAt: Date.now() }));
    await this.#read();
    await this.drain();
  }

  /** Sends what waits. One at a time in this page. */
  drain(): Promise<void> {
    this.#draining ??= this.#drain().finally(() => (this.#draining = undefined));
    return this.#draining;
  }

  async #drain(): Promise<void> {
    const userId = this.#c.userId();
    try {
      if (userId === undefined) return;
      if ((await this.#c.store.all()).length === 0) return;
      const report = await drain(this.#c.store, this.#c.api, userId);
      if (report.sent.length + report.refused.length + report.asking.length > 0) this.#c.onDrained(report);
      if (report.again) void askForSync();
    } catch {
      // A browser that keeps nothing has nothing to send.
    } finally {
      await this.#read();
    }
  }

  async #read(): Promise<void> {
    const userId = this.#c.userId();
    const all = await this.#c.store.all().catch(() => []);
    this.actions.set(all.filter((a) => a.userId === userId));
  }
}

async function askForSync(): Promise<void> {
  try {
    const registration: SyncRegistration | undefined = await navigator.serviceWorker?.getRegistration();
    await registration?.sync?.register(syncTag);
  } catch {
    // The page's own ways send it.
  }
}
