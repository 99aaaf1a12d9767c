import {
  ApiClient, ApiError, Batcher, Cell, Clock, Collection, Live, SessionKeeper, newIdempotencyKey, reachOf, type CommandDraft, type Page,
} from "@obedio/web";
import type {
  Alert, CallRequest, CancelReason, Command, ConfigChange, Denial, Device, Drill, Duty, NewCall, NotificationRule, Press, Room, SecurityAlert, System, Uplink, Walk,
} from "./api/resources";
import type { DrainReport } from "./queue/drain";
import { ActionQueue, type Wanted } from "./queue/queue";
import { DatabaseStore } from "./queue/store";

/** The largest page that the hub gives. */
const pageSize = 500;
/** How many ended requests are kept for the list of recent calls, and how many of them are read. */
const keepEnded = 50;
const readEnded = 30;
/** The place in the reading of requests where those that have ended begin. */
const ended = "ended";
/** Milliseconds until who is on duty is read anyway: some of it changes with the time alone. */
const dutyEvery = 60_000;
/** Milliseconds without a change of rooms, rules or certificates until they are read again, once for many. */
const settle = 1000;
/** How many alerts that are over stay beside those that stand. */
const keepCleared = 50;
/** Milliseconds until a walk is read after a step of it. */
const walkSettle = 150;
/** How many groups of denials are kept, as the hub does. */
const keepDenials = 1000;

/** What became of something that was wanted: the hub has done it, or it waits for the hub. */
export type Outcome = "done" | "queued";

/** A value of the hub with why it could not be read, if that is so. */
export interface Read<T> {
  value?: T;
  error?: ApiError;
}

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
  /** Those that stand, and those that were over while the page was there. */
  readonly alerts: Collection<Alert>;
  /** By which rules alerts are heard on screens. */
  readonly rules: Cell<readonly NotificationRule[]>;
  readonly live: Live;
  /** What the broker held against clients; read while a page shows it (readDenials). */
  readonly denials: Collection<Denial>;
  /** Grows when everything is to be read anew: pages read their own lists again. */
  readonly readings: Cell<number>;
  /** Grows when profiles, rules, certificates or bans have changed. */
  readonly policyChanges: Cell<number>;
  /** Grows when the crew, its shifts or the services have changed. */
  readonly crewChanges: Cell<number>;
  /** Who is on duty and can be reached, and what the last watch told this one. */
  readonly duty: Cell<Read<Duty>>;
  /** Whether the crew practises. */
  readonly drill: Cell<Drill | undefined>;
  /** Rooms; read when a page needs them (readRooms), and kept current from then on. */
  readonly rooms: Collection<Room>;
  /** The commissioning walk; read while a page shows it (readWalk). */
  readonly walk: Cell<Read<Walk>>;
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
  #crewChanged: ReturnType<typeof setTimeout> | undefined;
  #dutyDue: ReturnType<typeof setTimeout> | undefined;
  #walkChanged: ReturnType<typeof setTimeout> | undefined;
  // Of several readings of who is on duty, the one that began last counts.
  #dutyReading = 0;
  #walking = false;

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
    this.alerts = new Collection<Alert>({
      key: (a) => a.alert_id,
      batcher,
      supersedes: (next, held) => next.version >= held.version,
    });
    this.rules = new Cell<readonly NotificationRule[]>(batcher, []);
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
    this.crewChanges = new Cell(batcher, 0);
    this.duty = new Cell<Read<Duty>>(batcher, {});
    this.drill = new Cell<Drill | undefined>(batcher, undefined);
    this.walk = new Cell<Read<Walk>>(batcher, {});
    this.rooms = new Collection<Room>({ key: (r) => r.room_id, batcher, supersedes: (next, held) => next.version >= held.version });
    this.live = new Live({
      url: this.api.url("/events"),
      batcher,
      reload: () => this.reload(),
      onUnauthenticated: () => this.session.ended(),
      handlers: {
        request: (r: CallRequest) => this.#request(r),
        command: (c: Command) => this.heardCommand(c),
        "mqtt:device-status": (d: Device) => this.devices.upsert(d),
        "mqtt:system-health": (s: System) => this.#health(s),
        sync: (u: Uplink) => this.#uplink(u),
        "mqtt:security-alert": (a: SecurityAlert) => this.#alert(a),
        alert: (a: Alert) => this.#standing(a),
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
      clearTimeout(this.#crewChanged);
      clearTimeout(this.#dutyDue);
      clearTimeout(this.#walkChanged);
      this.#dutyReading++;
      this.batcher.run(() => {
        this.devices.clear();
        this.denials.clear();
        this.alerts.clear();
        this.requests.clear();
        this.rooms.clear();
        this.system.set(undefined);
        this.duty.set({});
        this.drill.set(undefined);
        this.walk.set({});
      });
    };
  }

  /** Reads everything anew. */
  reload(): void {
    void this.#readSystem();
    void this.#readDuty();
    void this.#readDrill();
    this.#readLists();
    this.#readAlerts();
    if (this.rooms.status.phase !== "unread") this.readRooms();
    if (this.#walking) void this.readWalk();
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

  /** Reads the rooms; events keep them current from then on. */
  readRooms(): void {
    void this.#readRooms();
  }

  /** Follows the walk until the returned function is called. */
  followWalk(): () => void {
    this.#walking = true;
    void this.readWalk();
    return () => {
      this.#walking = false;
    };
  }

  async readWalk(): Promise<void> {
    try {
      this.walk.set({ value: await this.api.get<Walk>("/walk") });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // Nobody has walked yet; else what was known stays.
      this.walk.set(error.status === 404 ? { error } : { ...this.walk.get(), error });
    }
  }

  /** Shows who is on duty as the answer to a change says it. */
  setDuty(value: Duty): void {
    this.#dutyReading++;
    this.duty.set({ value });
    this.#dutyAgain(value);
  }

  /** Begins a drill that lasts so many milliseconds, or ends it. */
  async setDrill(lasts: number): Promise<void> {
    this.drill.set(await this.api.put<Drill>("/drill", lasts > 0 ? { until: new Date(this.clock.now() + lasts).toISOString() } : {}));
  }

  presses(deviceId: string, signal: AbortSignal): Promise<Page<Press>> {
    return this.api.get(`/devices/${encodeURIComponent(deviceId)}/presses`, { query: { limit: 20 }, signal });
  }

  /** Says that an alert was seen. */
  async acknowledge(alert: Alert): Promise<void> {
    this.#standing(await this.api.post<Alert>(`/alerts/${alert.alert_id}/acknowledge`, {}, { idempotencyKey: newIdempotencyKey() }));
  }

  /** Does not hear an alert for so many minutes, or until a time (RFC 3339). */
  async silence(alert: Alert, how: { minutes: number } | { until: string }): Promise<void> {
    this.#standing(await this.api.post<Alert>(`/alerts/${alert.alert_id}/silence`, how, { idempotencyKey: newIdempotencyKey() }));
  }

  /** Reads anew by which rules alerts are heard. */
  readRules(): void {
    this.api.get<Page<NotificationRule>>("/notifications/rules", { query: { limit: pageSize } }).then(
      ({ items }) => this.rules.set(items),
      () => {}, // what was read last holds on
    );
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

  /** Offers a request to somebody; nothing is taken from whoever has it until that person accepts. */
  delegate(request: CallRequest, personId: string): Promise<Outcome> {
    return this.#step(request, "delegate", { person_id: personId });
  }

  /** Says that one will not take a request, declines an offer, or takes one's own back. */
  decline(request: CallRequest): Promise<Outcome> {
    return this.#step(request, "decline", {});
  }

  /** Opens a new request for one that has ended. */
  async reopen(request: CallRequest, note: string): Promise<CallRequest> {
    const path = `/requests/${encodeURIComponent(request.request_id)}/reopen`;
    const next = await this.api.post<CallRequest>(path, note ? { note } : {}, { idempotencyKey: newIdempotencyKey() });
    this.#request(next);
    return next;
  }

  /** Opens a request by hand. */
  async openCall(call: NewCall, key: string): Promise<CallRequest> {
    const made = await this.api.post<CallRequest>("/requests", call, { idempotencyKey: key });
    this.#request(made);
    return made;
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

  async #step(request: CallRequest, step: "accept" | "complete" | "cancel" | "delegate" | "decline", body: object): Promise<Outcome> {
    const wanted: Wanted = {
      kind: step, path: `/requests/${encodeURIComponent(request.request_id)}/${step}`,
      // Declining is about the person, whatever has become of the request.
      body: step === "decline" ? undefined : { version: request.version, ...body },
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
    const room = this.rooms.get(request.room);
    if (room && request.purpose === "call" && (room.last_call ?? "") < request.last_press_at) this.rooms.upsert({ ...room, last_call: request.last_press_at });
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
    switch (kind) {
      case "notification":
        this.readRules();
        this.#policy();
        return;
      case "room":
        clearTimeout(this.#roomsChanged);
        this.#roomsChanged = setTimeout(() => this.readRooms(), settle);
        return;
      case "person":
      case "team":
      case "shift":
      case "override":
      case "handover":
        this.#crew();
        return;
      case "service":
      case "press_profile":
      case "escalation":
        this.crewChanges.set(this.crewChanges.get() + 1);
        this.#policy();
        return;
      case "drill":
        void this.#readDrill();
        this.#policy();
        return;
      case "walk":
        this.#walked();
        return;
      default:
        this.#policy();
    }
  }

  #crew(): void {
    clearTimeout(this.#crewChanged);
    this.#crewChanged = setTimeout(() => {
      this.crewChanges.set(this.crewChanges.get() + 1);
      void this.#readDuty();
    }, settle);
  }

  #walked(): void {
    if (!this.#walking) return;
    clearTimeout(this.#walkChanged);
    this.#walkChanged = setTimeout(() => void this.readWalk(), walkSettle);
  }

  #health(system: System): void {
    const before = this.system.get()?.counts;
    this.system.set(system);
    const { watches, watches_reachable } = system.counts;
    if (before && (before.watches !== watches || before.watches_reachable !== watches_reachable)) void this.#readDuty();
  }

  #standing(alert: Alert): void {
    this.alerts.upsert(alert);
    if (alert.state !== "cleared") return;
    // A tablet runs for months.
    const over = [...this.alerts.values()].filter((a) => a.state === "cleared").sort((a, b) => b.updated_at.localeCompare(a.updated_at));
    for (const a of over.slice(keepCleared)) this.alerts.remove(a.alert_id);
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
      cursor === ended ? this.#endedRequests(signal) : this.#openRequests(cursor, signal));
    void this.devices.load((cursor, signal) =>
      this.api.get<Page<Device>>("/devices", { query: { limit: pageSize, cursor }, signal }));
  }

  #readAlerts(): void {
    void this.alerts.load((cursor, signal) =>
      this.api.get<Page<Alert>>("/alerts", { query: { state: "open", limit: pageSize, cursor }, signal }));
    this.readRules();
  }

  /** What waits first; the newest of what has ended after it. */
  async #openRequests(cursor: string | undefined, signal: AbortSignal): Promise<Page<CallRequest>> {
    const page = await this.api.get<Page<CallRequest>>("/requests", { query: { state: "open,accepted", limit: pageSize, cursor }, signal });
    return { items: page.items, next_cursor: page.next_cursor ?? ended };
  }

  async #endedRequests(signal: AbortSignal): Promise<Page<CallRequest>> {
    const page = await this.api.get<Page<CallRequest>>("/requests", { query: { state: "completed,cancelled,missed", limit: readEnded }, signal });
    return { items: page.items, next_cursor: null };
  }

  async #readRooms(): Promise<void> {
    await this.rooms.load((cursor, signal) => this.api.get<Page<Room>>("/rooms", { query: { limit: pageSize, cursor }, signal }));
    if (this.rooms.status.phase !== "ready") return;
    // A room's name is part of devices and requests: they are not read again for it.
    const rename = <T extends { room: string; room_name?: string }>(held: Collection<T>) => {
      for (const item of held.values()) {
        const name = this.rooms.get(item.room)?.name;
        if (name && name !== item.room_name) held.upsert({ ...item, room_name: name });
      }
    };
    this.batcher.run(() => {
      rename(this.devices);
      rename(this.requests);
    });
  }

  async #readDuty(): Promise<void> {
    const reading = ++this.#dutyReading;
    try {
      const value = await this.api.get<Duty>("/duty");
      if (reading !== this.#dutyReading) return;
      this.duty.set({ value });
      this.#dutyAgain(value);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (reading !== this.#dutyReading) return;
      this.duty.set({ ...this.duty.get(), error });
      if (error.status !== 403) this.#dutyAgain();
    }
  }

  // A shift or an override ends by itself; the hub tells of no change then.
  #dutyAgain(duty?: Duty): void {
    const now = this.clock.now();
    const ends = (duty?.crew ?? []).flatMap((p) => (p.until ? [Date.parse(p.until) - now] : [])).filter((ms) => ms > 0);
    clearTimeout(this.#dutyDue);
    this.#dutyDue = setTimeout(() => void this.#readDuty(), Math.min(dutyEvery, ...ends.map((ms) => ms + settle)));
  }

  async #readDrill(): Promise<void> {
    try {
      this.drill.set(await this.api.get<Drill>("/drill"));
    } catch {
      // The calls themselves say that they are a drill.
    }
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
