import { ApiError, Cell, Collection, type ApiClient, type Batcher, type Page } from "@obedio/web";
import type { Command, Order, SiteDevice, SiteRequest, SiteTraffic, SyncState } from "./api/resources";

const pageSize = 500;
/** Requests and commands are history without end: the newest page is shown. */
const newest = 100;

export interface TrafficQuery {
  /** RFC 3339. */
  from: string;
  bucket: SiteTraffic["bucket"];
  group: SiteTraffic["group"];
}

/** The details of one site, while one of its pages is open. */
export class SiteData {
  readonly siteId: string;
  readonly devices: Collection<SiteDevice>;
  readonly requests: Collection<SiteRequest>;
  readonly commands: Collection<Command>;
  readonly orders: Collection<Order>;
  readonly sync: Cell<SyncState | undefined>;
  readonly syncError: Cell<ApiError | undefined>;
  readonly #api: ApiClient;

  constructor(siteId: string, api: ApiClient, batcher: Batcher) {
    this.siteId = siteId;
    this.#api = api;
    this.devices = new Collection<SiteDevice>({ key: (d) => d.device_id, batcher });
    this.requests = new Collection<SiteRequest>({
      key: (r) => r.request_id,
      batcher,
      supersedes: (next, held) => next.version >= held.version,
    });
    this.commands = new Collection<Command>({
      key: (c) => c.command_id,
      batcher,
      supersedes: (next, held) => next.steps.length >= held.steps.length,
    });
    this.orders = new Collection<Order>({ key: (o) => o.order_id, batcher });
    this.sync = new Cell<SyncState | undefined>(batcher, undefined);
    this.syncError = new Cell<ApiError | undefined>(batcher, undefined);
  }

  /** Reads everything of this site anew. */
  load(): void {
    void this.devices.load((cursor, signal) => this.#get<Page<SiteDevice>>("devices", { limit: pageSize, cursor }, signal));
    void this.requests.load((_, signal) => this.#firstPage<SiteRequest>("requests", signal));
    void this.commands.load((_, signal) => this.#firstPage<Command>("commands", signal));
    this.loadOrders();
    this.#get<SyncState>("sync", {}).then(
      (sync) => {
        this.syncError.set(undefined);
        this.sync.set(sync);
      },
      (error: unknown) => this.syncError.set(error instanceof ApiError ? error : undefined),
    );
  }

  /** Reads the orders: after one has been made here, since the answer does not hold it. */
  loadOrders(): void {
    void this.orders.load((_, signal) => this.#firstPage<Order>("orders", signal));
  }

  /** What an event or an answer says about a command, and about the order that carries it. */
  command(command: Command): void {
    this.commands.upsert(command);
    for (const order of this.orders.values()) {
      if (order.command?.command_id === command.command_id) this.orders.upsert({ ...order, command, state: stateOf(order, command) });
    }
  }

  /** What passed the hub's broker; the address of the same as a table for other programs is trafficURL. */
  traffic(query: TrafficQuery, signal: AbortSignal): Promise<SiteTraffic> {
    return this.#get<SiteTraffic>("traffic", { ...query }, signal);
  }

  trafficURL(query: TrafficQuery): string {
    return this.#api.url(this.#path("traffic"), { from: query.from, bucket: query.bucket, format: "csv" });
  }

  lanes(lanes: SyncState["lanes"]): void {
    const sync = this.sync.get();
    if (sync) this.sync.set({ ...sync, lanes });
  }

  async #firstPage<T>(what: string, signal: AbortSignal): Promise<Page<T>> {
    const page = await this.#get<Page<T>>(what, { limit: newest }, signal);
    return { items: page.items, next_cursor: null };
  }

  #get<T>(what: string, query: Record<string, string | number | undefined>, signal?: AbortSignal): Promise<T> {
    return this.#api.get<T>(this.#path(what), { query, ...(signal ? { signal } : {}) });
  }

  #path(what: string): string {
    return `/sites/${encodeURIComponent(this.siteId)}/${what}`;
  }
}

// Orders have no event of their own. A command that the hub holds shows that
// its order was applied; one that ended before shows how its order ended.
function stateOf(order: Order, command: Command): Order["state"] {
  if (order.kind !== "command" || (order.state !== "queued" && order.state !== "taken")) return order.state;
  if (command.steps.some((step) => step.state === "at_hub")) return "applied";
  return command.state === "expired" || command.state === "cancelled" ? command.state : order.state;
}
