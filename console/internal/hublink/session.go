package hublink

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"sync"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// peer is what is kept in memory of a hub.
type peer struct {
	turn chan struct{} // holds one value while no Hello or Push of the hub runs

	mu      sync.Mutex // guards session
	session *session
}

// session is what a Hello opened.
type session struct {
	ticket []byte
	epoch  fleet.Epoch
	boot   string
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

func (p *peer) current() *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.session
}

// open begins a session; the one before it ends.
func (p *peer) open(e fleet.Epoch, boot string, most int) *session {
	s := &session{ticket: make([]byte, 32), epoch: e, boot: boot, ended: make(chan struct{}), most: most}
	rand.Read(s.ticket) // never fails (crypto/rand)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != nil {
		close(p.session.ended)
	}
	p.session = s
	return s
}

// enter makes sure that the session's epoch is the site's current one;
// lane.ErrTicket when another life of the hub has greeted since. Of two hubs
// with one identity each goes on in its own.
func (s *session) enter(tx store.SiteTx) error {
	e, err := tx.Epoch()
	if err != nil || e == s.epoch {
		return err
	}
	seen, err := tx.Seen()
	if err != nil {
		return err
	}
	life, known, err := tx.Life(s.epoch)
	switch {
	case err != nil:
		return err
	case !seen.Fenced || !known:
		return lane.ErrTicket
	}
	return tx.BeginEpoch(s.epoch, life)
}

// end ends the session, if there is one.
func (p *peer) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != nil {
		close(p.session.ended)
		p.session = nil
	}
}

// admit returns the session of a ticket; lane.ErrTicket.
func (p *peer) admit(ticket []byte) (*session, error) {
	s := p.current()
	if s == nil || subtle.ConstantTimeCompare(s.ticket, ticket) != 1 {
		return nil, lane.ErrTicket
	}
	return s, nil
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
