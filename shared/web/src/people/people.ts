import { newIdempotencyKey, type ApiClient, type Page } from "../api/client";
import { ApiError } from "../api/problem";
import { Cell } from "../live/cell";
import { Collection } from "../live/collection";
import type { Batcher } from "../live/batch";
import { changeOf } from "./merge";
import type { NewToken, NewUser, Role, SessionEntry, Tablet, Token, User, UserChange } from "./types";

/** The largest page that the programs give. */
const pageSize = 500;

/**
 * People, what they are signed in with, and the programs that act for them: of
 * one page, read when it opens. There are no events about people; what is done
 * here is written into the lists, and the rest is read anew when the line was
 * lost.
 */
export class People {
  readonly users: Collection<User>;
  readonly sessions: Collection<SessionEntry>;
  readonly ownSessions: Collection<SessionEntry>;
  readonly tokens: Collection<Token>;
  readonly tablets: Collection<Tablet>;
  readonly roles: Cell<readonly Role[]>;
  readonly #api: ApiClient;
  readonly #may: (permission: string) => boolean;

  constructor(api: ApiClient, batcher: Batcher, may: (permission: string) => boolean) {
    this.#api = api;
    this.#may = may;
    this.users = new Collection<User>({ key: (u) => u.user_id, batcher });
    this.sessions = new Collection<SessionEntry>({ key: (s) => s.session_id, batcher });
    this.ownSessions = new Collection<SessionEntry>({ key: (s) => s.session_id, batcher });
    this.tokens = new Collection<Token>({ key: (t) => t.id, batcher });
    this.tablets = new Collection<Tablet>({ key: (t) => t.tablet_id, batcher });
    this.roles = new Cell<readonly Role[]>(batcher, []);
  }

  /** Reads everything that the person may see. */
  load = (): void => {
    this.#api.get<{ items: Role[] }>("/roles").then(
      ({ items }) => this.roles.set(items),
      () => {
        // Roles are then known by name only; the lists say what is wrong.
      },
    );
    if (this.#may("users.read")) this.#read(this.users, "/users");
    if (this.#may("tokens.write")) this.#read(this.tokens, "/tokens");
    if (this.#may("tablets.write")) this.#read(this.tablets, "/tablets");
    this.loadSessions();
  };

  loadSessions(): void {
    this.#read(this.ownSessions, "/sessions");
    if (this.#may("sessions.others")) this.#read(this.sessions, "/sessions", { all: "true" });
  }

  async addUser(user: NewUser): Promise<User> {
    const added = await this.#api.post<User>("/users", user, { idempotencyKey: newIdempotencyKey() });
    this.users.upsert(added);
    return added;
  }

  /** Throws with status 412 when the person has changed since `etag`. */
  async changeUser(id: string, etag: string, change: UserChange): Promise<User> {
    const changed = await this.#api.put<User>(userPath(id), change, { ifMatch: etag });
    this.users.upsert(changed);
    if (change.disabled) this.loadSessions();
    return changed;
  }

  /** Disables or enables: whatever else was changed meanwhile stays as it is. */
  async setDisabled(id: string, disabled: boolean): Promise<void> {
    for (let tries = 3; ; tries--) {
      const user = this.users.get(id) ?? (await this.user(id));
      try {
        await this.changeUser(id, user.etag, { ...changeOf(user), disabled });
        return;
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 412 || tries === 1) throw error;
        await this.user(id);
      }
    }
  }

  /** The person as they are now. */
  async user(id: string): Promise<User> {
    const user = await this.#api.get<User>(userPath(id));
    this.users.upsert(user);
    return user;
  }

  async removeUser(id: string): Promise<void> {
    await this.#api.delete(userPath(id));
    this.users.remove(id);
    for (const token of this.tokens.values()) if (token.person_id === id) this.tokens.remove(token.id);
    this.loadSessions();
  }

  async setPassword(id: string, password: string, current?: string): Promise<void> {
    await this.#api.put(`${userPath(id)}/password`, { password, ...(current === undefined ? {} : { current_password: current }) });
    this.loadSessions();
    await this.#again(id);
  }

  async setPin(id: string, pin: string, current?: string): Promise<void> {
    await this.#api.put(`${userPath(id)}/pin`, { pin, ...(current === undefined ? {} : { current }) });
    await this.#again(id);
  }

  async removePin(id: string): Promise<void> {
    await this.#api.delete(`${userPath(id)}/pin`);
    await this.#again(id);
  }

  async endSession(id: string): Promise<void> {
    await this.#api.delete(`/sessions/${encodeURIComponent(id)}`);
    this.sessions.remove(id);
    this.ownSessions.remove(id);
  }

  /** Makes a token; its secret is in the answer and nowhere else. */
  async addToken(draft: NewToken): Promise<Token & { token: string }> {
    const made = await this.#api.post<Token & { token: string }>("/tokens", draft);
    const { token: _secret, ...kept } = made;
    this.tokens.upsert(kept);
    return made;
  }

  async revokeToken(id: string): Promise<void> {
    await this.#api.delete(`/tokens/${encodeURIComponent(id)}`);
    this.tokens.remove(id);
  }

  /** Makes this browser a tablet; the one that it was until now ends. */
  async enrolTablet(name: string): Promise<Tablet> {
    const before = [...this.tablets.values()].find((t) => t.current);
    const tablet = await this.#api.post<Tablet>("/tablets", { name });
    if (before) this.tablets.remove(before.tablet_id);
    this.tablets.upsert(tablet);
    return tablet;
  }

  async revokeTablet(id: string): Promise<void> {
    await this.#api.delete(`/tablets/${encodeURIComponent(id)}`);
    this.tablets.remove(id);
    this.loadSessions();
  }

  // What was done has given the person another version; a reader who may not see people has no list.
  async #again(id: string): Promise<void> {
    if (this.#may("users.read")) await this.user(id).catch(() => this.#read(this.users, "/users"));
  }

  #read<T>(list: Collection<T>, path: string, query: Record<string, string> = {}): void {
    void list.load((cursor, signal) => this.#api.get<Page<T>>(path, { query: { ...query, limit: pageSize, cursor }, signal }));
  }
}

function userPath(id: string): string {
  return `/users/${encodeURIComponent(id)}`;
}
