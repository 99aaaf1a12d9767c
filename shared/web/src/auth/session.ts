import type { ApiClient } from "../api/client";
import { ApiError } from "../api/problem";
import { Cell } from "../live/cell";
import type { Batcher } from "../live/batch";

/** Who is signed in, as both programs tell it. */
export interface Session {
  session_id: string;
  user: { user_id: string; username: string; name: string; role: string; sites?: string[] };
  permissions: string[];
  expires_at: string;
}

/** What the page knows about its session. */
export type SessionState =
  | { kind: "unknown" }
  | { kind: "unreachable"; error: ApiError }
  | { kind: "setup" }
  | { kind: "out"; over: boolean }
  | { kind: "in"; session: Session };

/** The session of this browser: looked up at start, changed by signing in and out. */
export class SessionKeeper {
  readonly state: Cell<SessionState>;
  readonly #api: ApiClient;

  constructor(api: ApiClient, batcher: Batcher) {
    this.#api = api;
    this.state = new Cell<SessionState>(batcher, { kind: "unknown" });
  }

  /** Asks the program who this is; a fresh program answers that it needs its first run. */
  async restore(): Promise<void> {
    try {
      const session = await this.#api.get<Session>("/sessions/current");
      this.state.set({ kind: "in", session });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status !== 401) {
        this.state.set({ kind: "unreachable", error });
        return;
      }
      const setup = await this.#api.get<{ needed: boolean }>("/setup").catch(() => ({ needed: false }));
      this.state.set(setup.needed ? { kind: "setup" } : { kind: "out", over: false });
    }
  }

  async signIn(username: string, password: string): Promise<void> {
    this.state.set({ kind: "in", session: await this.#api.post<Session>("/sessions", { username, password }) });
  }

  /** On an enrolled tablet: the person has been touched, and the PIN typed. */
  async signInWithPin(userId: string, pin: string): Promise<void> {
    this.state.set({ kind: "in", session: await this.#api.post<Session>("/sessions/pin", { user_id: userId, pin }) });
  }

  /** Makes the first administrator and is signed in as that person. */
  async setUp(code: string, username: string, password: string): Promise<void> {
    this.state.set({ kind: "in", session: await this.#api.post<Session>("/setup", { code, username, password }) });
  }

  async signOut(): Promise<void> {
    try {
      await this.#api.delete("/sessions/current");
    } catch (error) {
      // A session that is over anyway counts as signed out.
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
    }
    this.state.set({ kind: "out", over: false });
  }

  /** Called after a 401: the session has ended on the program's side. */
  ended(): void {
    if (this.state.get().kind === "in") this.state.set({ kind: "out", over: true });
  }
}

export function permits(session: Session, permission: string): boolean {
  return session.permissions.includes(permission);
}
