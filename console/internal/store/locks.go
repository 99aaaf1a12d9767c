package store

import (
	"context"
	"sync"

	"github.com/obedio/obedio/shared/fleet"
)

// SiteLocks is a lock for each site, made when it is wanted and forgotten when
// nobody wants it. Optimistic transactions alone would let a busy site's
// orders run into each other again and again; and whoever waits for a lock in a
// database holds a connection, which another site wants. The zero value is
// ready.
type SiteLocks struct {
	mu   sync.Mutex // guards held
	held map[fleet.SiteID]*siteLock
}

type siteLock struct {
	token chan struct{} // holds one value while the lock is free
	users int
}

// Lock waits for the site's turn, or for the end of ctx.
func (l *SiteLocks) Lock(ctx context.Context, site fleet.SiteID) (unlock func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[fleet.SiteID]*siteLock{}
	}
	v, ok := l.held[site]
	if !ok {
		v = &siteLock{token: make(chan struct{}, 1)}
		v.token <- struct{}{}
		l.held[site] = v
	}
	v.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if v.users--; v.users == 0 {
			delete(l.held, site)
		}
	}
	select {
	case <-v.token:
		return func() {
			v.token <- struct{}{}
			leave()
		}, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
