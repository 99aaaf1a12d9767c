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

// keptSession returns what is kept of the client's session, or a fresh one. A
// session of another owner, a forgotten one, and one that the client does not
// want, are discarded.
// Who calls it holds the slot.
func (b *Broker) keptSession(c *conn) (*kept, error) {
	id, owner := c.session.Identity.ClientID, c.session.Identity.owner()
	b.mu.Lock()
	k := b.sessions[id]
	b.mu.Unlock()
	if k == nil || k.owner != owner || k.forgotten.Load() {
		b.discard(id)
		k = nil
	}
	lifetime := c.lifetime()
	if k != nil && k.persistent.Load() && (c.session.Clean || lifetime == 0) {
		// What the client is told of its session must not come back at a restart;
		// on a full disk it may, rather than keep the client out.
		if err := b.keeper.now(c.ctx, writeNoSession(id)...); err != nil && !errors.Is(err, fleet.ErrFull) {
			return nil, fmt.Errorf("forget session of %s: %w: %w", id, fleet.ErrUnavailable, err)
		}
	}
	if k == nil {
		b.makeRoom(owner, max(1, c.session.Identity.MaxConnections)+1)
	}
	if k == nil || c.session.Clean {
		if k != nil {
			k.letAllGo(b)
		}
		k = newKept(owner)
	}
	k.persistent.Store(lifetime > 0 && b.keeper.storage != nil)
	k.mu.Lock()
	k.expiry, k.ended = lifetime, time.Time{}
	k.mu.Unlock()
	b.mu.Lock()
	b.sessions[id] = k
	b.mu.Unlock()
	return k, nil
}

// sweepSessions discards sessions whose time is over.
func (b *Broker) sweepSessions(now time.Time) {
	var over []string
	b.mu.Lock()
	for id, k := range b.sessions {
		k.mu.Lock()
		if !k.ended.IsZero() && !now.Before(k.ended.Add(k.expiry)) {
			over = append(over, id)
		}
		k.mu.Unlock()
	}
	b.mu.Unlock()
	for _, id := range over {
		if b.endAbsent(id) {
			b.counters.expired.Add(1)
		}
	}
}

// endAbsent discards the session of a client that is neither connected nor
// connecting.
func (b *Broker) endAbsent(id string) bool {
	b.mu.Lock()
	s := b.enter(id)
	b.mu.Unlock()
	absent := false
	select {
	case <-s.token:
		b.discard(id)
		s.token <- struct{}{}
		absent = true
	default:
	}
	b.mu.Lock()
	b.exit(id, s)
	b.mu.Unlock()
	return absent
}

// makeRoom ends the sessions that have been absent for longest while there are
// too many: in all, or of one owner.
func (b *Broker) makeRoom(owner string, perOwner int) {
	for {
		var oldest string
		var since time.Time
		all, own := 0, 0
		b.mu.Lock()
		for _, k := range b.sessions {
			all++
			if k.owner == owner {
				own++
			}
		}
		if all < b.limits.MaxSessions && own < perOwner {
			b.mu.Unlock()
			return
		}
		for id, k := range b.sessions {
			k.mu.Lock()
			ended := k.ended
			k.mu.Unlock()
			if !ended.IsZero() && (oldest == "" || ended.Before(since)) && (all >= b.limits.MaxSessions || k.owner == owner) {
				oldest, since = id, ended
			}
		}
		b.mu.Unlock()
		if oldest == "" || !b.endAbsent(oldest) {
			return // all are connected, and connections have their own limit
		}
		b.counters.limits.add(LimitSessions)
		b.object(Objection{At: b.now(), Kind: ObjectionLimited, ClientID: oldest, Reason: string(LimitSessions)})
	}
}

// owner tells identities apart that may come under one client id.
func (i Identity) owner() string {
	if i.Device.ID != "" {
		return "device " + string(i.Device.ID) + " " + i.Device.CreatedAt.UTC().String() + " " + i.Username
	}
	return "service " + i.Username
}

// discard removes all that is kept of a client's session. The client must not
// be connected. No message is routed meanwhile: one that was let into the
// session while it goes would be counted, and stored, for ever.
func (b *Broker) discard(clientID string) {
	b.routing.Lock()
	defer b.routing.Unlock()
	b.mu.Lock()
	k := b.sessions[clientID]
	delete(b.sessions, clientID)
	b.mu.Unlock()
	if k != nil {
		k.letAllGo(b)
		k.mu.Lock()
		if k.persistent.Swap(false) {
			b.keeper.later(writeNoSession(clientID)...)
		}
		k.mu.Unlock()
	}
	if cl, ok := b.server.Clients.Get(clientID); ok {
		b.server.UnsubscribeClient(cl)
		cl.ClearInflights()
		b.server.Clients.Delete(clientID)
	}
}

// Reauthorize gives a live connection new rights: its later decisions are made
// with who.Rules and the other rights of who, and what the new rules do not
// cover is taken from it now: subscriptions, held and queued messages, retained
// messages still to come. A change of who it is, or of its client id, is not
// for this: Kick it. It reports whether the client is connected.
func (b *Broker) Reauthorize(clientID string, who Identity) bool {
	b.mu.Lock()
	if late := b.wills[clientID]; late != nil {
		late.rights = rightsOf(who)
	}
	b.mu.Unlock()
	c := b.live(clientID)
	if c == nil {
		return false
	}
	c.rights.Store(rightsOf(who))
	c.review()
	return true
}
