// The resources of both programs that are about people, as their API has them.

export interface User {
  user_id: string;
  username: string;
  name: string;
  role: string;
  sites?: string[];
  has_pin?: boolean;
  /** The identity provider at which the person signs in. */
  issuer?: string;
  disabled: boolean;
  created_at: string;
  updated_at: string;
  etag: string;
}

/** What can be changed of a person besides their secrets. */
export interface UserChange {
  name: string;
  role: string;
  sites?: string[];
  disabled: boolean;
}

export interface NewUser {
  username: string;
  name?: string;
  password: string;
  role: string;
  sites?: string[];
}

export interface Role {
  role: string;
  by_site: boolean;
  administrator: boolean;
  permissions: string[];
}

export interface SessionEntry {
  session_id: string;
  user_id: string;
  created_at: string;
  seen_at: string;
  address?: string;
  agent?: string;
  tablet_id?: string;
  current: boolean;
}

export interface Token {
  id: string;
  name: string;
  role: string;
  sites?: string[];
  scopes?: string[];
  person_id?: string;
  created_at: string;
  expires_at: string | null;
  used_at: string | null;
}

export interface NewToken {
  name: string;
  role: string;
  sites?: string[];
  scopes?: string[];
  expires_at?: string;
}

export interface Tablet {
  tablet_id: string;
  name: string;
  enrolled_by: string;
  created_at: string;
  used_at: string | null;
  current: boolean;
}

/** A site as far as people are given one. */
export interface NamedSite {
  site_id: string;
  name: string;
}
