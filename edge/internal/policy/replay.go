package policy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
)

// Recorded is the record of the messages that passed the broker.
type Recorded interface {
	// Replay calls fn with the messages of a time, from inclusive and to
	// exclusive, in the order in which they passed, until fn says false. inbound
	// is from the client to the broker.
	Replay(ctx context.Context, from, to time.Time,
		fn func(at time.Time, inbound bool, client, topic string, qos byte, retain bool) bool) error
}

// What an Outcome tells singly; the rest is in its sums.
const (
	maxStreams = 200
	maxClients = 200
)

// Outcome says what recorded messages would have become under a draft.
type Outcome struct {
	// Examined messages; Unknown of them are of clients that are no devices.
	Examined, Unknown uint64
	// Truncated: there were more messages than were to be examined; To is the
	// time of the last one that was.
	Truncated bool
	To        time.Time
	// Denied are let through now and would not be, Allowed the opposite.
	Denied, Allowed uint64
	Clients         []ClientOutcome
	Streams         []Stream
	// More clients and streams than are listed.
	More bool
}

// ClientOutcome is one client's part of an Outcome.
type ClientOutcome struct {
	Client          string
	Denied, Allowed uint64
}

// Stream is the messages of one client on one topic that would be decided
// otherwise, with the first of them as the example.
type Stream struct {
	Client  string
	Inbound bool
	Topic   string
	QoS     byte
	Retain  bool
	Count   uint64
	FirstAt time.Time
	// Now and Draft are the decisions.
	Now, Draft access.Decision
}

type streamKey struct {
	client  string
	inbound bool
	topic   string
	qos     byte
	retain  bool
}

// pair is what one device may do now and under the draft.
type pair struct {
	now, draft access.Grant
	same       bool
}

// Replay compares the policy as it is with a draft on the recorded messages of
// a time, at most limit of them. Devices are judged as they are registered now.
// A device that a policy gives no rights at all is denied everything under it.
func (p *Policies) Replay(ctx context.Context, r Recorded, draft *access.Policy, from, to time.Time, limit uint64) (Outcome, error) {
	pairs, err := p.pairs(draft)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{To: to}
	streams, clients := map[streamKey]*Stream{}, map[string]*ClientOutcome{}
	err = r.Replay(ctx, from, to, func(at time.Time, inbound bool, client, topic string, qos byte, retain bool) bool {
		if ctx.Err() != nil {
			return false
		}
		if out.Examined >= limit {
			out.Truncated = true
			return false
		}
		out.Examined++
		out.To = at
		two, known := pairs[client]
		if !known {
			out.Unknown++
			return true
		}
		if two.same {
			return true
		}
		ask := access.Attempt{Action: access.Receive, Topic: topic}
		if inbound {
			ask = access.Attempt{Action: access.Send, Topic: topic, QoS: qos, Retain: retain}
		}
		now, then := two.now.Decide(ask), two.draft.Decide(ask)
		if now.Allowed == then.Allowed {
			return true
		}
		c := clients[client]
		if c == nil {
			c = &ClientOutcome{Client: client}
			clients[client] = c
		}
		if then.Allowed {
			out.Allowed++
			c.Allowed++
		} else {
			out.Denied++
			c.Denied++
		}
		key := streamKey{client, inbound, topic, qos, retain}
		s := streams[key]
		switch {
		case s != nil:
			s.Count++
		case len(streams) < maxStreams:
			streams[key] = &Stream{
				Client: client, Inbound: inbound, Topic: topic, QoS: qos, Retain: retain, Count: 1, FirstAt: at, Now: now, Draft: then,
			}
		default:
			out.More = true
		}
		return true
	})
	if err = cmp.Or(err, ctx.Err()); err != nil {
		return Outcome{}, fmt.Errorf("replay recorded messages: %w", err)
	}
	if !out.Truncated {
		out.To = to
	}
	for _, c := range clients {
		out.Clients = append(out.Clients, *c)
	}
	for _, s := range streams {
		out.Streams = append(out.Streams, *s)
	}
	slices.SortFunc(out.Clients, func(a, b ClientOutcome) int {
		return cmp.Or(cmp.Compare(b.Denied+b.Allowed, a.Denied+a.Allowed), cmp.Compare(a.Client, b.Client))
	})
	slices.SortFunc(out.Streams, func(a, b Stream) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Client, b.Client), cmp.Compare(a.Topic, b.Topic), a.FirstAt.Compare(b.FirstAt))
	})
	if len(out.Clients) > maxClients {
		out.Clients, out.More = out.Clients[:maxClients], true
	}
	return out, nil
}

// pairs returns the rights of every device under both policies.
func (p *Policies) pairs(draft *access.Policy) (map[string]pair, error) {
	now, all := p.Policy(), map[string]pair{}
	err := store.Entities(p.c.Store, "", func(d fleet.Device) bool {
		if d.Removed {
			return true
		}
		// An error is a device without rights: the zero Grant allows nothing.
		a, _ := now.Grant(p.c.Site, d, string(d.ID))
		b, _ := draft.Grant(p.c.Site, d, string(d.ID))
		all[string(d.ID)] = pair{now: a, draft: b, same: a.Equal(b)}
		return true
	})
	return all, err
}
