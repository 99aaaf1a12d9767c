package hublink

import (
	"slices"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// Event says that a hub was in contact, or what its push has changed, or that
// something of a site was changed at the console.
type Event struct {
	Site fleet.SiteID
	// Applied is the zero value when nothing has changed, and when it happened at
	// another console.
	Applied lane.Applied
	// Far: it happened at another console that shares the store. Then Refs are
	// what has changed; More: there were too many to name.
	Far  bool
	Refs []fleet.Ref
	More bool
	// Moved: records, states or hours came, if only to be set aside.
	Moved bool
	// Hub has no session any more but that of the ticket with this hash; empty
	// when nothing of its sessions has changed.
	Hub    fleet.HubID
	Ticket store.SecretHash
}

// Changed names what a push has changed, in the order of the last change.
func (e Event) Changed() []fleet.Ref {
	if e.Far {
		return e.Refs
	}
	var refs []fleet.Ref
	seen := map[fleet.Ref]bool{}
	add := func(r fleet.Ref) {
		if !seen[r] {
			seen[r] = true
			refs = append(refs, r)
		}
	}
	for _, s := range e.Applied.States {
		add(fleet.DeviceRef(s.ID))
	}
	for _, c := range slices.Backward(e.Applied.Changes) {
		add(c.After.Ref())
	}
	slices.Reverse(refs)
	return refs
}

// Tell is told of what has happened at another console.
func (l *Link) Tell(e Event) {
	e.Far = true
	if e.Hub != "" {
		l.endOthers(e.Hub, e.Ticket)
	}
	l.events.Publish(e)
}

// Changed says that something of a site was changed at the console.
func (l *Link) Changed(site fleet.SiteID) { l.events.Publish(Event{Site: site}) }

// End ends the session of a site's hub at once: it was revoked, or another has
// taken its place. What it may do is decided in the store; this is for calls
// that wait.
func (l *Link) End(site fleet.SiteID, hub fleet.HubID) {
	l.endOthers(hub, store.SecretHash{})
	l.events.Publish(Event{Site: site, Hub: hub})
}

func (l *Link) endOthers(hub fleet.HubID, ticket store.SecretHash) {
	l.mu.Lock()
	p, ok := l.peers[hub]
	l.mu.Unlock()
	if ok {
		p.endOthers(ticket)
	}
}

// WakeAll answers every call that waits for an order: there may be one.
func (l *Link) WakeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for site, ch := range l.wakes {
		close(ch)
		delete(l.wakes, site)
	}
}
