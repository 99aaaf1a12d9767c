// Package accountkv keeps people in an ordered key-value engine: one
// account.Store for both programs, each of which brings its engine's
// transactions.
//
// Keys, all text; values are JSON unless said otherwise:
//
//	user/{id}             a user
//	name/{folded}         a user's id
//	external/{key}        a user's id, by External.Key
//	session/{id}          a session
//	session-of/{user}/{id} empty: the sessions of a user
//	session-hash/{hash}   a session's id
//	token/{id}            a token
//	token-hash/{hash}     a token's id
//	tablet/{id}           a tablet
//	tablet-hash/{hash}    a tablet's id
package accountkv

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// Reader reads in a transaction.
type Reader interface {
	// Get returns the value of key, nil when there is none.
	Get(key string) ([]byte, error)
	// Scan calls fn with the keys that begin with prefix and sort after the key
	// after ("" for all), in byte order, until fn says false. It need not see
	// what the same transaction wrote.
	Scan(prefix, after string, fn func(key string, value []byte) (bool, error)) error
}

// Writer writes in a transaction.
type Writer interface {
	Reader
	Set(key string, value []byte) error
	Delete(key string) error
}

// DB is the engine.
type DB interface {
	View(ctx context.Context, fn func(Reader) error) error
	// Update is durable when it returns nil. Updates are serialisable: fn may run
	// again when another update came between.
	Update(ctx context.Context, fn func(Writer) error) error
}

// Auditor is what a Writer may be besides: then the audit is told of changes, in
// the transaction that makes them.
type Auditor interface {
	Audit(by fleet.Actor, action, target string, detail map[string]string) error
}

// Store implements account.Store.
type Store struct{ db DB }

// update is DB.Update with the note of the change, if there is one.
func (s *Store) update(ctx context.Context, fn func(Writer) error) error {
	return s.db.Update(ctx, func(w Writer) error {
		if err := fn(w); err != nil {
			return err
		}
		n, wanted := account.NoteOf(ctx)
		if a, ok := w.(Auditor); ok && wanted {
			return a.Audit(n.By, n.Action, n.Target, n.Detail)
		}
		return nil
	})
}

var _ account.Store = (*Store)(nil)

// New returns the people kept in db.
func New(db DB) *Store { return &Store{db} }

const (
	users         = "user/"
	userNames     = "name/"
	externals     = "external/"
	sessions      = "session/"
	sessionsOf    = "session-of/"
	sessionHashes = "session-hash/"
	tokens        = "token/"
	tokenHashes   = "token-hash/"
	tablets       = "tablet/"
	tabletHashes  = "tablet-hash/"
)

func hashKey(prefix string, h account.SecretHash) string { return prefix + hex.EncodeToString(h[:]) }

func read[T any](r Reader, key string) (T, error) {
	var v T
	b, err := r.Get(key)
	if err != nil {
		return v, fmt.Errorf("read %s: %w", key, err)
	}
	if b == nil {
		return v, fmt.Errorf("%w: %s", fleet.ErrNotFound, strings.TrimSuffix(key[:strings.Index(key, "/")], "/"))
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("decode %s: %w", key, err)
	}
	return v, nil
}

// readBy follows an index entry to what it names.
func readBy[T any](r Reader, index, prefix string) (T, error) {
	var v T
	id, err := r.Get(index)
	if err != nil {
		return v, fmt.Errorf("read %s: %w", index, err)
	}
	if id == nil {
		return v, fmt.Errorf("%w: %s", fleet.ErrNotFound, strings.TrimSuffix(prefix, "/"))
	}
	return read[T](r, prefix+string(id))
}

func write(w Writer, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	return w.Set(key, b)
}

func free(r Reader, keys ...string) error {
	for _, k := range keys {
		if b, err := r.Get(k); err != nil {
			return fmt.Errorf("read %s: %w", k, err)
		} else if b != nil {
			return fmt.Errorf("%w: %s", fleet.ErrExists, k[:strings.Index(k, "/")])
		}
	}
	return nil
}

func view[T any](ctx context.Context, s *Store, fn func(Reader) (T, error)) (T, error) {
	var v T
	err := s.db.View(ctx, func(r Reader) (err error) {
		v, err = fn(r)
		return err
	})
	return v, err
}

func list[T any](ctx context.Context, s *Store, prefix, after string, limit int) ([]T, error) {
	return view(ctx, s, func(r Reader) ([]T, error) {
		var all []T
		if after != "" {
			after = prefix + after
		}
		err := r.Scan(prefix, after, func(key string, b []byte) (bool, error) {
			var v T
			if err := json.Unmarshal(b, &v); err != nil {
				return false, fmt.Errorf("decode %s: %w", key, err)
			}
			all = append(all, v)
			return len(all) < limit, nil
		})
		return all, err
	})
}

// HasUsers implements account.Store.
func (s *Store) HasUsers(ctx context.Context) (bool, error) { return view(ctx, s, hasUsers) }

func hasUsers(r Reader) (bool, error) {
	any := false
	err := r.Scan(users, "", func(string, []byte) (bool, error) {
		any = true
		return false, nil
	})
	return any, err
}

// AddFirstUser implements account.Store.
func (s *Store) AddFirstUser(ctx context.Context, u account.User) error {
	return s.update(ctx, func(w Writer) error {
		any, err := hasUsers(w)
		if err != nil {
			return err
		}
		if any {
			return fmt.Errorf("%w: the first administrator exists", fleet.ErrState)
		}
		return addUser(w, u)
	})
}

// AddUser implements account.Store.
func (s *Store) AddUser(ctx context.Context, u account.User) error {
	return s.update(ctx, func(w Writer) error { return addUser(w, u) })
}

func addUser(w Writer, u account.User) error {
	if err := free(w, users+string(u.ID), userNames+u.Folded); err != nil {
		return err
	}
	if u.External != nil {
		if err := free(w, externals+u.External.Key()); err != nil {
			return err
		}
		if err := w.Set(externals+u.External.Key(), []byte(u.ID)); err != nil {
			return err
		}
	}
	if err := w.Set(userNames+u.Folded, []byte(u.ID)); err != nil {
		return err
	}
	return write(w, users+string(u.ID), u)
}

// ChangeUser implements account.Store.
func (s *Store) ChangeUser(ctx context.Context, u account.User, version uint64) error {
	return s.update(ctx, func(w Writer) error {
		old, err := read[account.User](w, users+string(u.ID))
		if err != nil {
			return err
		}
		if old.Version != version {
			return fmt.Errorf("%w: user has version %d, not %d", fleet.ErrVersion, old.Version, version)
		}
		if old.Folded != u.Folded {
			if err := free(w, userNames+u.Folded); err != nil {
				return err
			}
			if err := w.Delete(userNames + old.Folded); err != nil {
				return err
			}
			if err := w.Set(userNames+u.Folded, []byte(u.ID)); err != nil {
				return err
			}
		}
		return write(w, users+string(u.ID), u)
	})
}

// RemoveUser implements account.Store.
func (s *Store) RemoveUser(ctx context.Context, id account.UserID) error {
	return s.update(ctx, func(w Writer) error {
		u, err := read[account.User](w, users+string(id))
		if err != nil {
			return err
		}
		if _, err := removeSessions(w, id, ""); err != nil {
			return err
		}
		err = w.Scan(tokens, "", func(key string, b []byte) (bool, error) {
			var t account.Token
			if err := json.Unmarshal(b, &t); err != nil {
				return false, fmt.Errorf("decode %s: %w", key, err)
			}
			if t.Person != id {
				return true, nil
			}
			return true, removeToken(w, t)
		})
		if err != nil {
			return err
		}
		if u.External != nil {
			if err := w.Delete(externals + u.External.Key()); err != nil {
				return err
			}
		}
		if err := w.Delete(userNames + u.Folded); err != nil {
			return err
		}
		return w.Delete(users + string(id))
	})
}

// User implements account.Store.
func (s *Store) User(ctx context.Context, id account.UserID) (account.User, error) {
	return view(ctx, s, func(r Reader) (account.User, error) { return read[account.User](r, users+string(id)) })
}

// UserByName implements account.Store.
func (s *Store) UserByName(ctx context.Context, folded string) (account.User, error) {
	return view(ctx, s, func(r Reader) (account.User, error) {
		return readBy[account.User](r, userNames+folded, users)
	})
}

// UserByExternal implements account.Store.
func (s *Store) UserByExternal(ctx context.Context, e account.External) (account.User, error) {
	return view(ctx, s, func(r Reader) (account.User, error) {
		return readBy[account.User](r, externals+e.Key(), users)
	})
}

// Users implements account.Store: sorted by Folded.
func (s *Store) Users(ctx context.Context, after string, limit int) ([]account.User, error) {
	return view(ctx, s, func(r Reader) ([]account.User, error) {
		var all []account.User
		if after != "" {
			after = userNames + after
		}
		err := r.Scan(userNames, after, func(_ string, id []byte) (bool, error) {
			u, err := read[account.User](r, users+string(id))
			all = append(all, u)
			return len(all) < limit, err
		})
		return all, err
	})
}

// AddSession implements account.Store.
func (s *Store) AddSession(ctx context.Context, v account.Session) error {
	return s.update(ctx, func(w Writer) error {
		if err := free(w, sessions+string(v.ID), hashKey(sessionHashes, v.Hash)); err != nil {
			return err
		}
		if err := w.Set(hashKey(sessionHashes, v.Hash), []byte(v.ID)); err != nil {
			return err
		}
		if err := w.Set(sessionsOf+string(v.User)+"/"+string(v.ID), []byte{}); err != nil {
			return err
		}
		return write(w, sessions+string(v.ID), v)
	})
}

// SessionByHash implements account.Store.
func (s *Store) SessionByHash(ctx context.Context, h account.SecretHash) (account.Session, error) {
	return view(ctx, s, func(r Reader) (account.Session, error) {
		return readBy[account.Session](r, hashKey(sessionHashes, h), sessions)
	})
}

// Session implements account.Store.
func (s *Store) Session(ctx context.Context, id account.SessionID) (account.Session, error) {
	return view(ctx, s, func(r Reader) (account.Session, error) {
		return read[account.Session](r, sessions+string(id))
	})
}

// SeeSession implements account.Store.
func (s *Store) SeeSession(ctx context.Context, id account.SessionID, seen time.Time) error {
	return s.update(ctx, func(w Writer) error {
		v, err := read[account.Session](w, sessions+string(id))
		if err != nil || !seen.After(v.SeenAt) {
			return err
		}
		v.SeenAt = seen
		return write(w, sessions+string(id), v)
	})
}

// Sessions implements account.Store.
func (s *Store) Sessions(ctx context.Context, user account.UserID, after account.SessionID, limit int) ([]account.Session, error) {
	if user == "" {
		return list[account.Session](ctx, s, sessions, string(after), limit)
	}
	return view(ctx, s, func(r Reader) ([]account.Session, error) {
		var all []account.Session
		prefix, from := sessionsOf+string(user)+"/", ""
		if after != "" {
			from = prefix + string(after)
		}
		err := r.Scan(prefix, from, func(key string, _ []byte) (bool, error) {
			v, err := read[account.Session](r, sessions+strings.TrimPrefix(key, prefix))
			all = append(all, v)
			return len(all) < limit, err
		})
		return all, err
	})
}

// RemoveSession implements account.Store.
func (s *Store) RemoveSession(ctx context.Context, id account.SessionID) error {
	return s.update(ctx, func(w Writer) error {
		v, err := read[account.Session](w, sessions+string(id))
		if err != nil {
			return err
		}
		return removeSession(w, v)
	})
}

func removeSession(w Writer, v account.Session) error {
	for _, k := range []string{
		hashKey(sessionHashes, v.Hash), sessionsOf + string(v.User) + "/" + string(v.ID), sessions + string(v.ID),
	} {
		if err := w.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// RemoveSessions implements account.Store.
func (s *Store) RemoveSessions(ctx context.Context, user account.UserID, but account.SessionID) (n int, err error) {
	err = s.update(ctx, func(w Writer) (err error) {
		n, err = removeSessions(w, user, but)
		return err
	})
	return n, err
}

func removeSessions(w Writer, user account.UserID, but account.SessionID) (n int, err error) {
	prefix := sessionsOf + string(user) + "/"
	err = w.Scan(prefix, "", func(key string, _ []byte) (bool, error) {
		id := strings.TrimPrefix(key, prefix)
		if id == string(but) {
			return true, nil
		}
		v, err := read[account.Session](w, sessions+id)
		if err != nil {
			return false, err
		}
		n++
		return true, removeSession(w, v)
	})
	return n, err
}

// RemoveStaleSessions implements account.Store.
func (s *Store) RemoveStaleSessions(ctx context.Context, created, seen time.Time) (n int, err error) {
	err = s.update(ctx, func(w Writer) error {
		n = 0
		return w.Scan(sessions, "", func(key string, b []byte) (bool, error) {
			var v account.Session
			if err := json.Unmarshal(b, &v); err != nil {
				return false, fmt.Errorf("decode %s: %w", key, err)
			}
			if !v.CreatedAt.Before(created) && !v.SeenAt.Before(seen) {
				return true, nil
			}
			n++
			return true, removeSession(w, v)
		})
	})
	return n, err
}

// AddToken implements account.Store.
func (s *Store) AddToken(ctx context.Context, t account.Token) error {
	return s.update(ctx, func(w Writer) error {
		if err := free(w, tokens+string(t.ID), hashKey(tokenHashes, t.Hash)); err != nil {
			return err
		}
		if err := w.Set(hashKey(tokenHashes, t.Hash), []byte(t.ID)); err != nil {
			return err
		}
		return write(w, tokens+string(t.ID), t)
	})
}

// TokenByHash implements account.Store.
func (s *Store) TokenByHash(ctx context.Context, h account.SecretHash) (account.Token, error) {
	return view(ctx, s, func(r Reader) (account.Token, error) {
		return readBy[account.Token](r, hashKey(tokenHashes, h), tokens)
	})
}

// Token implements account.Store.
func (s *Store) Token(ctx context.Context, id account.TokenID) (account.Token, error) {
	return view(ctx, s, func(r Reader) (account.Token, error) { return read[account.Token](r, tokens+string(id)) })
}

// UseToken implements account.Store.
func (s *Store) UseToken(ctx context.Context, id account.TokenID, used time.Time) error {
	return s.update(ctx, func(w Writer) error {
		t, err := read[account.Token](w, tokens+string(id))
		if err != nil || !used.After(t.UsedAt) {
			return err
		}
		t.UsedAt = used
		return write(w, tokens+string(id), t)
	})
}

// Tokens implements account.Store.
func (s *Store) Tokens(ctx context.Context, after account.TokenID, limit int) ([]account.Token, error) {
	return list[account.Token](ctx, s, tokens, string(after), limit)
}

// RemoveToken implements account.Store.
func (s *Store) RemoveToken(ctx context.Context, id account.TokenID) error {
	return s.update(ctx, func(w Writer) error {
		t, err := read[account.Token](w, tokens+string(id))
		if err != nil {
			return err
		}
		return removeToken(w, t)
	})
}

func removeToken(w Writer, t account.Token) error {
	if err := w.Delete(hashKey(tokenHashes, t.Hash)); err != nil {
		return err
	}
	return w.Delete(tokens + string(t.ID))
}
