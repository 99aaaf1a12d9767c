package broker

import (
	"net/netip"
	"time"

	"github.com/obedio/obedio/shared/access"
)

// ObjectionKind says what sort of thing the broker held against a client.
type ObjectionKind string

// The kinds of objections.
const (
	// ObjectionDenied: rights said no to Action on Topic; Reason is the rule.
	ObjectionDenied ObjectionKind = "denied"
	// ObjectionRefused: a connection got no session; Reason is the Refusal.
	ObjectionRefused ObjectionKind = "refused"
	// ObjectionLimited: a connected client met a limit; Reason is the Limit.
	ObjectionLimited ObjectionKind = "limited"
)

// Objection is something that the broker held against a client.
type Objection struct {
	At   time.Time
	Kind ObjectionKind
	// ClientID and Username as far as they are known: a client that was refused
	// has only said them.
	ClientID, Username string
	Remote             netip.AddrPort
	Listener           string
	Action             access.Action
	Topic              string
	Reason             string
	// Detail says more for people; may be empty.
	Detail string
}

// drop counts a message of a client that was not delivered or not taken, and
// tells the hub.
func (b *Broker) drop(client string, reason DropReason) {
	b.counters.dropped.add(reason)
	if b.cfg.Dropped != nil {
		b.cfg.Dropped(client, reason)
	}
}

func (c *conn) drop(reason DropReason) { c.b.drop(c.session.Identity.ClientID, reason) }

func (b *Broker) object(o Objection) {
	if b.cfg.Objected != nil {
		b.cfg.Objected(o)
	}
}

// object tells the hub.
func (c *conn) object(o Objection) {
	if c.b.cfg.Objected == nil {
		return
	}
	id := &c.session.Identity
	o.At, o.Remote, o.Listener = c.b.now(), c.session.Remote, c.session.Listener
	if o.Kind != ObjectionRefused {
		o.ClientID, o.Username = id.ClientID, id.Username
	}
	c.b.cfg.Objected(o)
}

// limited counts a limit that the client met, and tells the hub.
func (c *conn) limited(l Limit, detail string) {
	c.b.counters.limits.add(l)
	c.object(Objection{Kind: ObjectionLimited, Reason: string(l), Detail: detail})
}
