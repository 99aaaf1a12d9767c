import { ApiError, type ApiClient, type Page } from "@obedio/web";
import type { NewProvisionToken, NewTokenInput, ProvisionToken } from "../api/resources";

/** What a person wants a device to be; it is asked for again when a token has ended. */
export type Want = NewTokenInput;

/** A token that was made here: its secret, which the hub tells once, lives as long as this page. */
export interface Made {
  token: NewProvisionToken;
  want: Want;
}

const made = new Map<string, Made>();

/** The secrets of a token, if it was made by this page. */
export function madeHere(id: string): Made | undefined {
  return made.get(id);
}

/** Makes a token, or opens the window for a label. */
export async function makeToken(api: ApiClient, want: Want): Promise<NewProvisionToken> {
  const token = want.replaces
    ? await api.post<NewProvisionToken>(`/devices/${encodeURIComponent(want.device_id ?? "")}/provision`, {
        ...(want.hardware_id ? { hardware_id: want.hardware_id, key_hash: want.key_hash } : {}),
        ...(want.life_s ? { life_s: want.life_s } : {}),
      })
    : await api.post<NewProvisionToken>("/provision/tokens", want);
  made.set(token.id, { token, want });
  return token;
}

export function readToken(api: ApiClient, id: string, signal: AbortSignal): Promise<ProvisionToken> {
  return api.get(`/provision/tokens/${encodeURIComponent(id)}`, { signal });
}

/** Takes a token back; one that has ended already is fine too. */
export async function revokeToken(api: ApiClient, id: string): Promise<void> {
  made.delete(id);
  try {
    await api.delete(`/provision/tokens/${encodeURIComponent(id)}`);
  } catch (error) {
    if (!(error instanceof ApiError) || (error.status !== 404 && error.status !== 409)) throw error;
  }
}

/** The tokens and windows that are open, the newest first. */
export async function openTokens(api: ApiClient, signal: AbortSignal): Promise<ProvisionToken[]> {
  const page = await api.get<Page<ProvisionToken>>("/provision/tokens", { query: { limit: 100 }, signal });
  return page.items.filter((t) => t.state === "open");
}
