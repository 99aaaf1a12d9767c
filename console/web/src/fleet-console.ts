import { ApiClient, Batcher, Cell, Clock, Collection, Live, SessionKeeper, type CommandDraft, type Page } from "@obedio/web";
import type { Claim, Command, FleetAlert, NewSite, Site, SiteDevice, SiteRequest, SyncState, System } from "./api/resources";
import { SiteData } from "./site-data";

export const alertKey = (a: FleetAlert): string => `${a.site_id}/${a.alert_id}`;

/** The largest page that the console gives. */
export const pageSize = 500;

/**
 * All that this page knows of the console and does to it: the sites of the
 * fleet, the details of those whose pages are open, and the actions.
 */
export class FleetConsole {
  readonly batcher = new Batcher();
  readonly clock = new Clock();
  readonly api: ApiClient;
  readonly session: SessionKeeper;
  readonly sites: Collection<Site>;
  /** The alerts of all sites that are open. */
  readonly alerts: Collection<FleetAlert>;
  readonly system: Cell<System | undefined>;
  /** Grows whenever lists are to be read anew, since events were missed. */
  readonly readings: Cell<number>;
  readonly live: Live;
  #systemSoon: ReturnType<typeof setTimeout> | undefined;
  readonly #jobWatchers = new Set<(jobId: string) => void>();
  readonly #open = new Map<string, { data: SiteData; readers: number }>();

  constructor(base = "/api/v1") {
    const { batcher } = this;
    this.api = new ApiClient({ base, onUnauthenticated: () => this.session.ended() });
    this.session = new SessionKeeper(this.api, batcher);
    this.sites = new Collection<Site>({ key: (s) => s.site_id, batcher });
    this.alerts = new Collection<FleetAlert>({ key: alertKey, batcher });
    this.system = new Cell<System | undefined>(batcher, undefined);
    this.readings = new Cell<number>(batcher, 0);
    this.live = new Live({
      url: this.api.url("/events"),
      batcher,
      reload: () => this.reload(),
      onUnauthenticated: () => this.session.ended(),
      handlers: {
        site: (s: Site) => this.sites.upsert(s),
        request: (e: { site: string; request: SiteRequest }) => this.#open.get(e.site)?.data.requests.upsert(e.request),
        command: (e: { site: string; command: Command }) => this.#open.get(e.site)?.data.command(e.command),
        "mqtt:device-status": (e: { site: string; device?: SiteDevice; removed?: string }) => {
          const devices = this.#open.get(e.site)?.data.devices;
          if (e.device) devices?.upsert(e.device);
          if (e.removed !== undefined) devices?.remove(e.removed);
        },
        alert: (e: { alert: FleetAlert }) => this.putAlert(e.alert),
        job: (e: { job_id: string }) => {
          for (const watcher of this.#jobWatchers) watcher(e.job_id);
          // How many jobs run is a number of the whole; many events ask for it once.
          this.#systemSoon ??= setTimeout(() => void this.#readSystem(), 1000);
        },
        sync: (e: { site: string; lanes: SyncState["lanes"] }) => this.#open.get(e.site)?.data.lanes(e.lanes),
      },
    });
  }

  /** Begins to keep everything current; the returned function stops and forgets. */
  start(): () => void {
    const stop = this.live.start();
    return () => {
      stop();
      clearTimeout(this.#systemSoon);
      this.batcher.run(() => {
        this.sites.clear();
        this.alerts.clear();
        this.system.set(undefined);
      });
    };
  }

  /** Reads everything anew. */
  reload(): void {
    void this.#readSystem();
    void this.sites.load((cursor, signal) => this.api.get<Page<Site>>("/sites", { query: { limit: pageSize, cursor }, signal }));
    void this.alerts.load((cursor, signal) => this.api.get<Page<FleetAlert>>("/alerts", { query: { limit: pageSize, cursor }, signal }));
    for (const { data } of this.#open.values()) data.load();
    this.readings.set(this.readings.get() + 1);
  }

  /** What an event or an answer says about an alert: one that is not open any more goes. */
  putAlert(alert: FleetAlert): void {
    if (alert.open) this.alerts.upsert(alert);
    else this.alerts.remove(alertKey(alert));
  }

  /** Calls back with the ids of jobs that have come further, until the returned function is called. */
  watchJobs = (watcher: (jobId: string) => void): (() => void) => {
    this.#jobWatchers.add(watcher);
    return () => this.#jobWatchers.delete(watcher);
  };

  /** Says that somebody ashore has seen an alert. */
  async acknowledge(alert: FleetAlert): Promise<FleetAlert> {
    const now = await this.api.post<FleetAlert>(`/sites/${encodeURIComponent(alert.site_id)}/alerts/${encodeURIComponent(alert.alert_id)}/acknowledge`);
    this.putAlert(now);
    return now;
  }

  /** Tries the connection and the reading again, for a person who asks. */
  retry = (): void => {
    this.live.wake();
    this.reload();
  };

  /** The details of one site, kept current until `leave` is called. */
  followSite(siteId: string): { data: SiteData; leave: () => void } {
    let entry = this.#open.get(siteId);
    if (!entry) {
      entry = { data: new SiteData(siteId, this.api, this.batcher), readers: 0 };
      this.#open.set(siteId, entry);
      entry.data.load();
    }
    const followed = entry;
    followed.readers++;
    return {
      data: followed.data,
      leave: () => {
        if (--followed.readers === 0) this.#open.delete(siteId);
      },
    };
  }

  async addSite(siteId: string, name: string, settings: Partial<NewSite> = {}): Promise<Site> {
    const site = await this.api.post<Site>("/sites", { site_id: siteId, name, ...settings });
    this.sites.upsert(site);
    return site;
  }

  /** Makes a new one-time claim; an older one stops working. */
  claim(siteId: string): Promise<Claim> {
    return this.api.post<Claim>(`/sites/${encodeURIComponent(siteId)}/claim`);
  }

  /** Shuts the hub of a site out, with its claims. What is known of the site stays. */
  async revokeSite(siteId: string): Promise<void> {
    const path = `/sites/${encodeURIComponent(siteId)}`;
    await this.api.delete(path);
    this.sites.upsert(await this.api.get<Site>(path));
  }

  async sendCommand(siteId: string, deviceId: string, draft: CommandDraft, idempotencyKey: string): Promise<void> {
    const path = `/sites/${encodeURIComponent(siteId)}/devices/${encodeURIComponent(deviceId)}/command`;
    const command = await this.api.post<Command>(path, draft, { idempotencyKey });
    const data = this.#open.get(siteId)?.data;
    data?.command(command);
    data?.loadOrders();
  }

  async cancelCommand(siteId: string, command: Command): Promise<void> {
    const path = `/sites/${encodeURIComponent(siteId)}/commands/${encodeURIComponent(command.command_id)}/cancel`;
    const now = await this.api.post<Command | undefined>(path);
    if (now && "command_id" in now) this.#open.get(siteId)?.data.command(now);
  }

  async #readSystem(): Promise<void> {
    clearTimeout(this.#systemSoon);
    this.#systemSoon = undefined;
    const sent = Date.now();
    try {
      const system = await this.api.get<System>("/system");
      this.clock.observe(system.now, sent, Date.now());
      this.system.set(system);
    } catch {
      // The page then shows what it knew; the lists say what is wrong.
    }
  }
}
