package accounttest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// Memory is an account.Store that forgets everything when the test ends.
type Memory struct {
	mu       sync.Mutex // guards all below
	users    map[account.UserID]account.User
	sessions map[account.SessionID]account.Session
	tokens   map[account.TokenID]account.Token
	tablets  map[account.TabletID]account.Tablet
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		users:    map[account.UserID]account.User{},
		sessions: map[account.SessionID]account.Session{},
		tokens:   map[account.TokenID]account.Token{},
		tablets:  map[account.TabletID]account.Tablet{},
	}
}

var _ account.Store = (*Memory)(nil)

// begin locks the store unless ctx has ended.
func (m *Memory) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	return nil
}

// HasUsers implements account.Store.
func (m *Memory) HasUsers(ctx context.Context) (bool, error) {
	if err := m.begin(ctx); err != nil {
		return false, err
	}
	defer m.mu.Unlock()
	return len(m.users) > 0, nil
}

// AddFirstUser implements account.Store.
func (m *Memory) AddFirstUser(ctx context.Context, u account.User) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if len(m.users) > 0 {
		return fmt.Errorf("add first user: %w: there is one", fleet.ErrState)
	}
	m.users[u.ID] = cloneUser(u)
	return nil
}

// AddUser implements account.Store.
func (m *Memory) AddUser(ctx context.Context, u account.User) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if _, ok := m.users[u.ID]; ok || m.nameTaken(u) || u.External != nil && m.external(*u.External) != nil {
		return fmt.Errorf("add user %s: %w", u.Folded, fleet.ErrExists)
	}
	m.users[u.ID] = cloneUser(u)
	return nil
}

func (m *Memory) nameTaken(u account.User) bool {
	for _, other := range m.users {
		if other.Folded == u.Folded && other.ID != u.ID {
			return true
		}
	}
	return false
}

// external returns the user of e, or nil.
func (m *Memory) external(e account.External) *account.User {
	for _, u := range m.users {
		if u.External != nil && *u.External == e {
			return &u
		}
	}
	return nil
}

// UserByExternal implements account.Store.
func (m *Memory) UserByExternal(ctx context.Context, e account.External) (account.User, error) {
	if err := m.begin(ctx); err != nil {
		return account.User{}, err
	}
	defer m.mu.Unlock()
	if u := m.external(e); u != nil {
		return cloneUser(*u), nil
	}
	return account.User{}, fmt.Errorf("external user: %w", fleet.ErrNotFound)
}

// ChangeUser implements account.Store.
func (m *Memory) ChangeUser(ctx context.Context, u account.User, version uint64) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	old, ok := m.users[u.ID]
	switch {
	case !ok:
		return fmt.Errorf("change user %s: %w", u.ID, fleet.ErrNotFound)
	case old.Version != version:
		return fmt.Errorf("change user %s: %w", u.ID, fleet.ErrVersion)
	case m.nameTaken(u):
		return fmt.Errorf("change user %s: %w", u.ID, fleet.ErrExists)
	}
	m.users[u.ID] = cloneUser(u)
	return nil
}

// RemoveUser implements account.Store.
func (m *Memory) RemoveUser(ctx context.Context, id account.UserID) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if _, ok := m.users[id]; !ok {
		return fmt.Errorf("remove user %s: %w", id, fleet.ErrNotFound)
	}
	delete(m.users, id)
	maps.DeleteFunc(m.sessions, func(_ account.SessionID, s account.Session) bool { return s.User == id })
	maps.DeleteFunc(m.tokens, func(_ account.TokenID, t account.Token) bool { return t.Person == id })
	return nil
}

// User implements account.Store.
func (m *Memory) User(ctx context.Context, id account.UserID) (account.User, error) {
	if err := m.begin(ctx); err != nil {
		return account.User{}, err
	}
	defer m.mu.Unlock()
	u, ok := m.users[id]
	if !ok {
		return account.User{}, fmt.Errorf("user %s: %w", id, fleet.ErrNotFound)
	}
	return cloneUser(u), nil
}

// UserByName implements account.Store.
func (m *Memory) UserByName(ctx context.Context, folded string) (account.User, error) {
	if err := m.begin(ctx); err != nil {
		return account.User{}, err
	}
	defer m.mu.Unlock()
	for _, u := range m.users {
		if u.Folded == folded {
			return cloneUser(u), nil
		}
	}
	return account.User{}, fmt.Errorf("user %q: %w", folded, fleet.ErrNotFound)
}

// Users implements account.Store.
func (m *Memory) Users(ctx context.Context, after string, limit int) ([]account.User, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	us := page(m.users, after, limit, func(u account.User) string { return u.Folded })
	for i := range us {
		us[i] = cloneUser(us[i])
	}
	return us, nil
}

// AddSession implements account.Store.
func (m *Memory) AddSession(ctx context.Context, s account.Session) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, other := range m.sessions {
		if other.ID == s.ID || other.Hash == s.Hash {
			return fmt.Errorf("add session %s: %w", s.ID, fleet.ErrExists)
		}
	}
	m.sessions[s.ID] = s
	return nil
}

// SessionByHash implements account.Store.
func (m *Memory) SessionByHash(ctx context.Context, hash account.SecretHash) (account.Session, error) {
	if err := m.begin(ctx); err != nil {
		return account.Session{}, err
	}
	defer m.mu.Unlock()
	for _, s := range m.sessions {
		if s.Hash == hash {
			return s, nil
		}
	}
	return account.Session{}, fmt.Errorf("session: %w", fleet.ErrNotFound)
}

// Session implements account.Store.
func (m *Memory) Session(ctx context.Context, id account.SessionID) (account.Session, error) {
	if err := m.begin(ctx); err != nil {
		return account.Session{}, err
	}
	defer m.mu.Unlock()
	s, ok := m.sessions[id]
	if !ok {
		return account.Session{}, fmt.Errorf("session %s: %w", id, fleet.ErrNotFound)
	}
	return s, nil
}

// SeeSession implements account.Store.
func (m *Memory) SeeSession(ctx context.Context, id account.SessionID, seen time.Time) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	s, ok := m.sessions[id]
	if !ok {
		return fmt.Errorf("see session %s: %w", id, fleet.ErrNotFound)
	}
	if seen.After(s.SeenAt) {
		s.SeenAt = seen
		m.sessions[id] = s
	}
	return nil
}

// Sessions implements account.Store.
func (m *Memory) Sessions(ctx context.Context, user account.UserID, after account.SessionID, limit int) ([]account.Session, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	of := maps.Clone(m.sessions)
	maps.DeleteFunc(of, func(_ account.SessionID, s account.Session) bool { return user != "" && s.User != user })
	return page(of, after, limit, func(s account.Session) account.SessionID { return s.ID }), nil
}

// RemoveSession implements account.Store.
func (m *Memory) RemoveSession(ctx context.Context, id account.SessionID) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if _, ok := m.sessions[id]; !ok {
		return fmt.Errorf("remove session %s: %w", id, fleet.ErrNotFound)
	}
	delete(m.sessions, id)
	return nil
}

// RemoveSessions implements account.Store.
func (m *Memory) RemoveSessions(ctx context.Context, user account.UserID, but account.SessionID) (int, error) {
	if err := m.begin(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	before := len(m.sessions)
	maps.DeleteFunc(m.sessions, func(id account.SessionID, s account.Session) bool { return s.User == user && id != but })
	return before - len(m.sessions), nil
}

// RemoveStaleSessions implements account.Store.
func (m *Memory) RemoveStaleSessions(ctx context.Context, created, seen time.Time) (int, error) {
	if err := m.begin(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	before := len(m.sessions)
	maps.DeleteFunc(m.sessions, func(_ account.SessionID, s account.Session) bool {
		return s.CreatedAt.Before(created) || s.SeenAt.Before(seen)
	})
	return before - len(m.sessions), nil
}

// AddToken implements account.Store.
func (m *Memory) AddToken(ctx context.Context, t account.Token) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, other := range m.tokens {
		if other.ID == t.ID || other.Hash == t.Hash {
			return fmt.Errorf("add token %s: %w", t.ID, fleet.ErrExists)
		}
	}
	m.tokens[t.ID] = cloneToken(t)
	return nil
}

// TokenByHash implements account.Store.
func (m *Memory) TokenByHash(ctx context.Context, hash account.SecretHash) (account.Token, error) {
	if err := m.begin(ctx); err != nil {
		return account.Token{}, err
	}
	defer m.mu.Unlock()
	for _, t := range m.tokens {
		if t.Hash == hash {
			return cloneToken(t), nil
		}
	}
	return account.Token{}, fmt.Errorf("token: %w", fleet.ErrNotFound)
}

// Token implements account.Store.
func (m *Memory) Token(ctx context.Context, id account.TokenID) (account.Token, error) {
	if err := m.begin(ctx); err != nil {
		return account.Token{}, err
	}
	defer m.mu.Unlock()
	t, ok := m.tokens[id]
	if !ok {
		return account.Token{}, fmt.Errorf("token %s: %w", id, fleet.ErrNotFound)
	}
	return cloneToken(t), nil
}

// UseToken implements account.Store.
func (m *Memory) UseToken(ctx context.Context, id account.TokenID, used time.Time) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	t, ok := m.tokens[id]
	if !ok {
		return fmt.Errorf("use token %s: %w", id, fleet.ErrNotFound)
	}
	if used.After(t.UsedAt) {
		t.UsedAt = used
		m.tokens[id] = t
	}
	return nil
}

// Tokens implements account.Store.
func (m *Memory) Tokens(ctx context.Context, after account.TokenID, limit int) ([]account.Token, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	ts := page(m.tokens, after, limit, func(t account.Token) account.TokenID { return t.ID })
	for i := range ts {
		ts[i] = cloneToken(ts[i])
	}
	return ts, nil
}

// RemoveToken implements account.Store.
func (m *Memory) RemoveToken(ctx context.Context, id account.TokenID) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if _, ok := m.tokens[id]; !ok {
		return fmt.Errorf("remove token %s: %w", id, fleet.ErrNotFound)
	}
	delete(m.tokens, id)
	return nil
}

// AddTablet implements account.Store.
func (m *Memory) AddTablet(ctx context.Context, t account.Tablet) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, other := range m.tablets {
		if other.ID == t.ID || other.Hash == t.Hash {
			return fmt.Errorf("add tablet %s: %w", t.ID, fleet.ErrExists)
		}
	}
	m.tablets[t.ID] = t
	return nil
}

// TabletByHash implements account.Store.
func (m *Memory) TabletByHash(ctx context.Context, hash account.SecretHash) (account.Tablet, error) {
	if err := m.begin(ctx); err != nil {
		return account.Tablet{}, err
	}
	defer m.mu.Unlock()
	for _, t := range m.tablets {
		if t.Hash == hash {
			return t, nil
		}
	}
	return account.Tablet{}, fmt.Errorf("tablet: %w", fleet.ErrNotFound)
}

// Tablet implements account.Store.
func (m *Memory) Tablet(ctx context.Context, id account.TabletID) (account.Tablet, error) {
	if err := m.begin(ctx); err != nil {
		return account.Tablet{}, err
	}
	defer m.mu.Unlock()
	t, ok := m.tablets[id]
	if !ok {
		return account.Tablet{}, fmt.Errorf("tablet %s: %w", id, fleet.ErrNotFound)
	}
	return t, nil
}

// UseTablet implements account.Store.
func (m *Memory) UseTablet(ctx context.Context, id account.TabletID, used time.Time) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	t, ok := m.tablets[id]
	if !ok {
		return fmt.Errorf("use tablet %s: %w", id, fleet.ErrNotFound)
	}
	if used.After(t.UsedAt) {
		t.UsedAt = used
		m.tablets[id] = t
	}
	return nil
}

// Tablets implements account.Store.
func (m *Memory) Tablets(ctx context.Context, after account.TabletID, limit int) ([]account.Tablet, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	return page(m.tablets, after, limit, func(t account.Tablet) account.TabletID { return t.ID }), nil
}

// RemoveTablet implements account.Store.
func (m *Memory) RemoveTablet(ctx context.Context, id account.TabletID) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if _, ok := m.tablets[id]; !ok {
		return fmt.Errorf("remove tablet %s: %w", id, fleet.ErrNotFound)
	}
	delete(m.tablets, id)
	maps.DeleteFunc(m.sessions, func(_ account.SessionID, s account.Session) bool { return s.Tablet == id })
	return nil
}

// page returns the values after a key, sorted by it, at most limit.
func page[ID comparable, V any, K cmp.Ordered](all map[ID]V, after K, limit int, key func(V) K) []V {
	var some []V
	for _, v := range all {
		if key(v) > after {
			some = append(some, v)
		}
	}
	slices.SortFunc(some, func(a, b V) int { return cmp.Compare(key(a), key(b)) })
	return some[:min(limit, len(some))]
}

func cloneUser(u account.User) account.User {
	u.Sites = slices.Clone(u.Sites)
	return u
}

func cloneToken(t account.Token) account.Token {
	t.Sites, t.Scopes = slices.Clone(t.Sites), slices.Clone(t.Scopes)
	return t
}
