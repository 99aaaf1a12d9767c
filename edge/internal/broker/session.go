package broker

import (
	"errors"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

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
