package account

import (
	"context"
	"sync"
	"time"
)

// OnChange has fn called after each change that may have taken something from
// somebody: a role, an account, a session, a token, a tablet. fn is called in
// the goroutine that has made the change, and does not change anything itself.
// With Recheck, what lasts longer than a call ends or goes on at once.
func (a *Accounts) OnChange(fn func()) { a.changes.add(fn) }

// listeners are those who are told of changes.
type listeners struct {
	mu  sync.Mutex // guards all
	all []func()
}

func (l *listeners) add(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fn)
}

// tell tells all, unless nothing has changed, and returns err.
func (l *listeners) tell(err error) error {
	if err != nil {
		return err
	}
	l.mu.Lock()
	all := l.all
	l.mu.Unlock()
	for _, fn := range all {
		fn()
	}
	return nil
}

// telling is a store that tells of the changes that take something away.
type telling struct {
	Store
	listeners *listeners
}

// ChangeUser implements Store.
func (t telling) ChangeUser(ctx context.Context, u User, version uint64) error {
	return t.listeners.tell(t.Store.ChangeUser(ctx, u, version))
}

// RemoveUser implements Store.
func (t telling) RemoveUser(ctx context.Context, id UserID) error {
	return t.listeners.tell(t.Store.RemoveUser(ctx, id))
}

// RemoveSession implements Store.
func (t telling) RemoveSession(ctx context.Context, id SessionID) error {
	return t.listeners.tell(t.Store.RemoveSession(ctx, id))
}

// RemoveSessions implements Store.
func (t telling) RemoveSessions(ctx context.Context, user UserID, but SessionID) (int, error) {
	n, err := t.Store.RemoveSessions(ctx, user, but)
	return n, t.listeners.tell(err)
}

// RemoveStaleSessions implements Store.
func (t telling) RemoveStaleSessions(ctx context.Context, created, seen time.Time) (int, error) {
	n, err := t.Store.RemoveStaleSessions(ctx, created, seen)
	return n, t.listeners.tell(err)
}

// RemoveToken implements Store.
func (t telling) RemoveToken(ctx context.Context, id TokenID) error {
	return t.listeners.tell(t.Store.RemoveToken(ctx, id))
}

// RemoveTablet implements Store.
func (t telling) RemoveTablet(ctx context.Context, id TabletID) error {
	return t.listeners.tell(t.Store.RemoveTablet(ctx, id))
}
