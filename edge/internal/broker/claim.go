package broker

import (
	"errors"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// slot is the one place that the connections of a client id share. Its token
// is held by the connection that has the session, from before the library
// hears of it until Handler.Disconnected has returned; so sessions of one
// client never overlap.
type slot struct {
	token  chan struct{} // of capacity 1; full when nobody holds it
	holder *conn         // who took the token
	newest *conn         // the holder, or who waits for it
	users  int           // connections that hold or wait
}

// errSuperseded: the client has connected again while this connection was
// being authenticated.
var errSuperseded = errors.New("client has connected again")

// claim makes c the only connection of its client id: the one before it is
// ended and waited for. Before and after is the order in which connections were
// accepted, not the order in which the Authenticator got round to them. After
// nil the caller must release.
func (b *Broker) claim(c *conn) error {
	id := c.session.Identity.ClientID
	b.mu.Lock()
	if b.stopping {
		b.mu.Unlock()
		return fmt.Errorf("claim %s: %w: the hub stops", id, fleet.ErrUnavailable)
	}
	s := b.enter(id)
	before := s.newest
	if before != nil && before.socket.number > c.socket.number {
		b.exit(id, s)
		b.mu.Unlock()
		return errSuperseded
	}
	s.newest = c
	b.mu.Unlock()

	if before != nil {
		before.end(CauseTakenOver)
	}
	timer := time.NewTimer(b.limits.TakeoverTimeout)
	defer timer.Stop()
	var err error
	select {
	case <-s.token:
	case <-timer.C:
		err = fmt.Errorf("claim %s: %w: its last connection does not end", id, fleet.ErrUnavailable)
	case <-c.ctx.Done():
		err = fmt.Errorf("claim %s: %w: connection ended meanwhile", id, fleet.ErrUnavailable)
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.leave(c, s)
		return err
	}
	who := &c.session.Identity
	if limit := max(1, who.MaxConnections); who.Device.ID == "" && who.Username != "" && b.byUser[who.Username] >= limit {
		s.token <- struct{}{}
		b.leave(c, s)
		return fmt.Errorf("claim %s: %w: %d connections of %q", id, fleet.ErrLimit, limit, who.Username)
	}
	s.holder = c
	b.byUser[who.Username]++
	b.lastGen++
	c.session.Generation = b.lastGen
	return nil
}

// enter returns the slot of a client id and counts a user of it. b.mu is held.
func (b *Broker) enter(id string) *slot {
	s := b.slots[id]
	if s == nil {
		s = &slot{token: make(chan struct{}, 1)}
		s.token <- struct{}{}
		b.slots[id] = s
	}
	s.users++
	return s
}

// release gives the slot to whoever waits for it.
func (b *Broker) release(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.slots[c.session.Identity.ClientID]
	s.holder = nil
	if user := c.session.Identity.Username; b.byUser[user] > 1 {
		b.byUser[user]--
	} else {
		delete(b.byUser, user)
	}
	s.token <- struct{}{}
	b.leave(c, s)
}

// leave is called with b.mu held.
func (b *Broker) leave(c *conn, s *slot) {
	if s.newest == c {
		s.newest = s.holder
	}
	b.exit(c.session.Identity.ClientID, s)
}

// exit is the opposite of enter. b.mu is held.
func (b *Broker) exit(id string, s *slot) {
	if s.users--; s.users == 0 {
		delete(b.slots, id)
	}
}

// Forget ends a client's connection as Kick does and then removes its session:
// its subscriptions, what is queued for it, and a will that is still to come.
// For a device that was removed or whose certificate was revoked. It does not
// wait for the connection's end.
func (b *Broker) Forget(clientID, reason string) {
	b.mu.Lock()
	if b.stopping {
		b.mu.Unlock()
		return // sessions end with the broker
	}
	if w := b.wills[clientID]; w != nil {
		b.cancelWill(w)
	}
	s, before := b.enter(clientID), b.sessions[clientID]
	if before != nil {
		before.forgotten.Store(true)
	}
	last := s.newest
	b.work.Add(1)
	b.mu.Unlock()

	if last != nil {
		last.endWith(CauseKicked, reason)
	}
	forget := func() {
		defer b.work.Done()
		var held bool
		select {
		case <-s.token:
			held = true
		case <-b.stopped:
		}
		b.mu.Lock()
		same := held && b.sessions[clientID] == before // not yet another one's
		b.mu.Unlock()
		if same {
			b.discard(clientID)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if held {
			s.token <- struct{}{}
		}
		b.exit(clientID, s)
	}
	if last == nil {
		forget()
	} else {
		go forget()
	}
}
