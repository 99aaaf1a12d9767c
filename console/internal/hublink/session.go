package hublink

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// peer is what is kept in memory of a hub.
type peer struct {
	turn chan struct{} // holds one value while no Hello or Push of the hub runs

	mu      sync.Mutex // guards session
	session *session
}

// session is what this console keeps of a session while it is used here. That
// it is open is in the store: see store.Session.
type session struct {
	ticket store.SecretHash
	ended  chan struct{}
	// most is how many records, and how many states, are taken at once. Who has
	// the hub's turn owns it.
	most int

	mu   sync.Mutex // guards pull
	pull chan struct{}
}

func (l *Link) peer(hub fleet.HubID) *peer {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.peers[hub]
	if !ok {
		p = &peer{turn: make(chan struct{}, 1)}
		p.turn <- struct{}{}
		l.peers[hub] = p
	}
	return p
}

// take waits for the hub's turn, or for the end of ctx.
func (p *peer) take(ctx context.Context) (leave func(), err error) {
	select {
	case <-p.turn:
		return func() { p.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// newTicket returns a ticket and what the store keeps of it.
func newTicket() ([]byte, store.SecretHash) {
	t := make([]byte, 32)
	rand.Read(t) // never fails (crypto/rand)
	return t, hashOf(t)
}

func hashOf(ticket []byte) store.SecretHash { return account.HashSecret(string(ticket)) }

// with returns the session of a ticket as it is used here. Whether the ticket
// is good is not said yet: see admitted.
func (p *peer) with(ticket store.SecretHash, most int) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != nil && p.session.ticket == ticket {
		return p.session
	}
	return &session{ticket: ticket, ended: make(chan struct{}), most: most}
}

// opened says that s is the hub's session: another one ends.
func (p *peer) opened(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session == s {
		return
	}
	if p.session != nil {
		close(p.session.ended)
	}
	p.session = s
}

// endOthers ends the session here unless it is that of the ticket.
func (p *peer) endOthers(ticket store.SecretHash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != nil && p.session.ticket != ticket {
		close(p.session.ended)
		p.session = nil
	}
}

// admitted returns the session that is open; lane.ErrTicket when it is not that
// of the ticket. It is asked in every transaction of a call, so that of two
// consoles that a hub has greeted only the later one takes anything.
func (l *Link) admitted(v store.SiteView, hub store.Hub, ticket store.SecretHash) (store.Session, error) {
	open, err := v.Session()
	if err == nil && (open.Hub != hub.ID || open.Ticket != ticket || open.Console != l.c.Identity.Epoch) {
		err = lane.ErrTicket
	}
	return open, err
}

// enter admits a call and makes sure that its session's epoch is the site's
// current one; lane.ErrTicket when another life of the hub has greeted since. Of
// two hubs with one identity each goes on in its own.
func (l *Link) enter(tx store.SiteTx, hub store.Hub, s *session) error {
	open, err := l.admitted(tx, hub, s.ticket)
	if err != nil {
		return err
	}
	e, err := tx.Epoch()
	if err != nil || e == open.Epoch {
		return err
	}
	seen, err := tx.Seen()
	if err != nil {
		return err
	}
	life, known, err := tx.Life(open.Epoch)
	switch {
	case err != nil:
		return err
	case !seen.Fenced || !known:
		return lane.ErrTicket
	}
	return tx.BeginEpoch(open.Epoch, life)
}

// pulling makes the caller the one that waits for orders: an earlier call,
// whose connection may be gone, is answered.
func (s *session) pulling() (replaced <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pull != nil {
		close(s.pull)
	}
	s.pull = make(chan struct{})
	return s.pull
}

// pulled says that the call that pulling was given to has ended.
func (s *session) pulled(mine <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pull != nil && (<-chan struct{})(s.pull) == mine {
		s.pull = nil
	}
}
