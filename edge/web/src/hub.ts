import {
  ApiClient, ApiError, Batcher, Cell, Clock, Collection, Live, SessionKeeper, newIdempotencyKey, reachOf, type CommandDraft, type Page,
} from "@obedio/web";
import type { CallRequest, CancelReason, Command, ConfigChange, Denial, Device, Press, SecurityAlert, System, Uplink } from "./api/resources";
import type { DrainReport } from "./queue/drain";
import { ActionQueue, type Wanted } from "./queue/queue";
import { DatabaseStore } from "./queue/store";

/** The largest page that the hub gives. */
const pageSize = 500;
/** How many ended requests are kept for "the last call". */
const keepEnded = 50;
/** Milliseconds without a change of rooms, rules or certificates until they are read again, once for many. */
const settle = 1000;
/** How many groups of denials are kept, as the hub does. */
const keepDenials = 1000;

/** What became of something that was wanted: the hub has done it, or it waits for the hub. */
export type Outcome = "done" | "queued";

/**
 * All that this page knows of its hub and does to it: the stores, the event
 * stream that keeps them current, and the actions. One per page.
 */
export class Hub {
  readonly batcher = new Batcher();
  readonly clock = new Clock();
  readonly api: ApiClient;
  readonly session: SessionKeeper;
  readonly devices: Collection<Device>;
  readonly requests: Collection<CallRequest>;
  readonly system: Cell<System | undefined>;
  readonly live: Live;
  /** What the broker held against clients; read while a page shows it (readDenials). */
  readonly denials: Collection<Denial>;
  /** Grows when everything is to be read anew: pages read their own lists again. */
  readonly readings: Cell<number>;
  /** Grows when profiles, rules, certificates or bans have changed. */
  readonly policyChanges: Cell<number>;
  /** What was wanted while the hub was out of reach. */
  readonly queue: ActionQueue;
  /** What became of it when the hub was back; a new value each time. */
  readonly drained: Cell<DrainReport | undefined>;
  /** While the page shows answers that the service worker has kept: when the oldest came, in the hub's time. */
  readonly keptAt: Cell<number | undefined>;
  // Commands are followed for the devices whose pages are open.
  readonly #commands = new Map<string, { commands: Collection<Command>; readers: number }>();
  readonly #jobReaders = new Set<(command: Command) => void>();

  #roomsChanged: ReturnType<typeof setTimeout> | undefined;
  #policyChanged: ReturnType<typeof setTimeout> | undefined;

  constructor(base = "/api/v1") {
    const { batcher } = this;
    this.api = new ApiClient({
      base,
      onUnauthenticated: () => this.session.ended(),
      onKept: (at) => this.keptAt.set(Math.min(this.clock.at(at), this.keptAt.get() ?? Infinity)),
    });
    this.keptAt = new Cell<number | undefined>(batcher, undefined);
    this.session = new SessionKeeper(this.api, batcher);
    this.devices = new Collection<Device>({ key: (d) => d.device_id, batcher });
    this.requests = new Collection<CallRequest>({
      key: (r) => r.request_id,
      batcher,
      supersedes: (next, held) => next.version >= held.version && next.entries >= held.entries && next.presses >= held.presses,
    });
    this.system = new Cell<System | undefined>(batcher, undefined);
    this.denials = new Collection<Denial>({
      key: (d) => String(d.id),
      batcher,
      supersedes: (next, held) => next.count >= held.count,
    });
    this.readings = new Cell(batcher, 0);
    this.drained = new Cell<DrainReport | undefined>(batcher, undefined);
    this.queue = new ActionQueue({
      store: new DatabaseStore(),
      api: this.api,
      batcher,
      userId: () => {
        const state = this.session.state.get();
        return state.kind === "in" ? state.session.user.user_id : undefined;
      },
      onDrained: (report) => this.#drained(report),
    });
    this.policyChanges = new Cell(batcher, 0);
    this.live = new Live({
      url: this.api.url("/events"),
      batcher,
      reload: () => this.reload(),
      onUnauthenticated: () => this.session.ended(),
      handlers: {
        request: (r: CallRequest) => this.#request(r),
        command: (c: Command) => this.heardCommand(c),
        "mqtt:device-status": (d: Device) => this.devices.upsert(d),
        "mqtt:system-health": (s: System) => this.system.set(s),
        sync: (u: Uplink) => this.#uplink(u),
        "mqtt:security-alert": (a: SecurityAlert) => this.#alert(a),
        config: (c: ConfigChange) => this.#config(c),
      },
    });
  }

  /** Begins to keep everything current; the returned function stops and forgets. */
  start(): () => void {
    const stop = this.live.start();
    const stopQueue = this.queue.start();
    const watch = this.live.connection.subscribe(() => this.#connected());
    return () => {
      watch();
      stopQueue();
      stop();
      clearTimeout(this.#roomsChanged);
      clearTimeout(this.#policyChanged);
      this.batcher.run(() => {
        this.devices.clear();
        this.denials.clear();
        this.requests.clear();
        this.system.set(undefined);
      });
    };
  }

  /** Reads everything anew. */
  reload(): void {
    void this.#readSystem();
    this.#readLists();
    for (const id of this.#commands.keys()) this.#readCommands(id);
    this.readings.set(this.readings.get() + 1);
  }

  /** Tries the connection and the reading again, for a person who asks. */
  retry = (): void => {
    this.live.wake();
    this.reload();
  };

  /** The commands of one device, kept current until `leave` is called. */
  followCommands(deviceId: string): { commands: Collection<Command>; leave: () => void } {
    let entry = this.#commands.get(deviceId);
    if (!entry) {
      const commands = new Collection<Command>({
        key: (c) => c.command_id,
        batcher: this.batcher,
        supersedes: (next, held) => next.steps.length >= held.steps.length,
      });
      entry = { commands, readers: 0 };
      this.#commands.set(deviceId, entry);
      this.#readCommands(deviceId);
    }
    const followed = entry;
    followed.readers++;
    return {
      commands: followed.commands,
      leave: () => {
        if (--followed.readers === 0) this.#commands.delete(deviceId);
      },
    };
  }

  /** Calls `reader` with each command of a job that takes a step, until the returned function is called. */
  watchJobs(reader: (command: Command) => void): () => void {
    this.#jobReaders.add(reader);
    return () => this.#jobReaders.delete(reader);
  }

  /** Reads the denials; events keep them current from then on. */
  readDenials(): void {
    void this.denials.load((cursor, signal) =>
      this.api.get<Page<Denial>>("/security/denials", { query: { limit: pageSize, cursor }, signal }));
  }

  presses(deviceId: string, signal: AbortSignal): Promise<Page<Press>> {
    return this.api.get(`/devices/${encodeURIComponent(deviceId)}/presses`, { query: { limit: 20 }, signal });
  }

  /** Takes a request. Throws a conflict when somebody else was faster; the store then holds who. */
  accept(request: CallRequest): Promise<Outcome> {
    return this.#step(request, "accept", {});
  }

  complete(request: CallRequest): Promise<Outcome> {
    return this.#step(request, "complete", {});
  }

  cancel(request: CallRequest, reason: CancelReason, note: string): Promise<Outcome> {
    return this.#step(request, "cancel", { reason, ...(note ? { note } : {}) });
  }

  sendCommand(device: Device, draft: CommandDraft, idempotencyKey: string): Promise<Outcome> {
    const wanted: Wanted = {
      kind: "command", path: `/devices/${encodeURIComponent(device.device_id)}/command`, body: draft, target: device.device_id,
      label: device.name || device.device_id, name: draft.name,
    };
    return this.#doOrQueue<Command>(wanted, (command) => this.#commands.get(device.device_id)?.commands.upsert(command), idempotencyKey);
  }

  async cancelCommand(command: Command): Promise<void> {
    const now = await this.api.post<Command | undefined>(`/commands/${command.command_id}/cancel`);
    if (now) this.#commands.get(command.device_id)?.commands.upsert(now);
  }

  syncNow(): Promise<void> {
    return this.api.post("/sync");
  }

  async #step(request: CallRequest, step: "accept" | "complete" | "cancel", body: object): Promise<Outcome> {
    const wanted: Wanted = {
      kind: step, path: `/requests/${encodeURIComponent(request.request_id)}/${step}`, body: { version: request.version, ...body },
      target: request.request_id, label: request.room_name || request.room,
    };
    try {
      return await this.#doOrQueue<CallRequest>(wanted, (next) => this.#request(next));
    } catch (error) {
      if (error instanceof ApiError && error.conflict) {
        const now = requestIn(error);
        if (now) this.#request(now);
      }
      throw error;
    }
  }

  /** Does it, or keeps it for later while there is no way to the hub. */
  async #doOrQueue<T>(wanted: Wanted, done: (answer: T) => void, key = newIdempotencyKey()): Promise<Outcome> {
    const now = Date.now();
    if (reachOf(this.live.connection.get(), now).kind === "offline" && (await this.#enqueue(wanted, key, now))) return "queued";
    try {
      done(await this.api.post<T>(wanted.path, wanted.body, { idempotencyKey: key }));
      return "done";
    } catch (error) {
      const unanswered = error instanceof ApiError && (error.fault === "network" || error.fault === "timeout");
      // It may have reached the hub: its key makes the second sending harmless.
      if (unanswered && (await this.#enqueue({ ...wanted, tried: true }, key, now))) return "queued";
      throw error;
    }
  }

  /** False in a browser that keeps nothing. */
  async #enqueue(wanted: Wanted, key: string, at: number): Promise<boolean> {
    try {
      await this.queue.add(wanted, key, at);
      return true;
    } catch {
      return false;
    }
  }

  #drained(report: DrainReport): void {
    this.batcher.run(() => {
      for (const { action, answer } of report.sent) {
        if (action.kind === "command") this.#commands.get(action.target)?.commands.upsert(answer as Command);
        else this.#request(answer as CallRequest);
      }
      this.drained.set(report);
    });
  }

  #connected(): void {
    const { state, failures, heardAt } = this.live.connection.get();
    if (state === "open") {
      this.keptAt.set(undefined);
      void this.queue.drain();
    } else if (state === "waiting" && failures === 1 && heardAt === undefined && navigator.serviceWorker?.controller) {
      // The page has opened without the hub: what the worker has kept is shown.
      this.reload();
    }
  }

  /** What an event says of a command. */
  heardCommand(command: Command): void {
    this.#commands.get(command.device_id)?.commands.upsert(command);
    if (command.job_id) for (const reader of this.#jobReaders) reader(command);
  }

  #request(request: CallRequest): void {
    this.requests.upsert(request);
    if (request.state === "open" || request.state === "accepted") return;
    // A tablet runs for months: of what has ended only the newest stays.
    const ended = [...this.requests.values()]
      .filter((r) => r.state !== "open" && r.state !== "accepted")
      .sort((a, b) => (b.ended_at ?? "").localeCompare(a.ended_at ?? ""));
    for (const r of ended.slice(keepEnded)) this.requests.remove(r.request_id);
  }

  #uplink(uplink: Uplink): void {
    const system = this.system.get();
    if (system) this.system.set({ ...system, uplink });
  }

  #config({ kind, id, removed }: ConfigChange): void {
    if (kind === "device") {
      // A device that is new or changed comes as an event of its own.
      if (removed) this.devices.remove(id);
      return;
    }
    if (kind !== "room") {
      this.#policy();
      return;
    }
    // A room's name is part of many devices and requests: read them once for many changes.
    clearTimeout(this.#roomsChanged);
    this.#roomsChanged = setTimeout(() => this.#readLists(), settle);
  }

  #alert(alert: SecurityAlert): void {
    if (alert.kind === "audit") {
      this.#policy();
      return;
    }
    this.denials.upsert(alert);
    if (this.denials.size <= keepDenials) return;
    const oldest = [...this.denials.values()].sort((a, b) => a.last_at.localeCompare(b.last_at))[0];
    if (oldest) this.denials.remove(String(oldest.id));
  }

  #policy(): void {
    clearTimeout(this.#policyChanged);
    this.#policyChanged = setTimeout(() => this.policyChanges.set(this.policyChanges.get() + 1), settle);
  }

  #readLists(): void {
    void this.requests.load((cursor, signal) =>
      this.api.get<Page<CallRequest>>("/requests", { query: { state: "open,accepted", limit: pageSize, cursor }, signal }));
    void this.devices.load((cursor, signal) =>
      this.api.get<Page<Device>>("/devices", { query: { limit: pageSize, cursor }, signal }));
  }

  async #readSystem(): Promise<void> {
    const sent = Date.now();
    try {
      const system = await this.api.get<System>("/system");
      // A kept answer's time is long past.
      if (this.keptAt.get() === undefined) this.clock.observe(system.now, sent, Date.now());
      this.system.set(system);
    } catch {
      // The header then shows what it knew; the lists say what is wrong.
    }
  }

  #readCommands(deviceId: string): void {
    void this.#commands.get(deviceId)?.commands.load(async (_, signal) => {
      const query = { device_id: deviceId, limit: 20 };
      const page = await this.api.get<Page<Command>>("/commands", { query, signal });
      return { items: page.items, next_cursor: null };
    });
  }
}

/** The request as it is now, which a conflict carries. */
export function requestIn(error: ApiError): CallRequest | undefined {
  const request = error.body["request"];
  return typeof request === "object" && request !== null ? (request as CallRequest) : undefined;
}
