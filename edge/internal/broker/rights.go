package broker

import (
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/topic"
)

// rights are what an identity may do. They may change while its connection
// lives; each decision is made on one set of them.
type rights struct {
	rules  *access.Rules
	retain access.Retain
	maxQoS byte
	rate   access.Rate
	legacy topic.Legacy
}

func rightsOf(id Identity) *rights {
	return &rights{rules: id.Rules, retain: id.Retain, maxQoS: id.MaxQoS, rate: id.Rate, legacy: id.Legacy}
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
