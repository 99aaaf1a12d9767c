package broker

import (
	"errors"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// OnSubscribe decides about each filter. The denied ones are emptied, so that
// the library does not subscribe them, and get their reason code in
// OnSubscribed.
func (h *hook) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	c := gate(cl)
	if c == nil {
		return pk
	}
	c.judged = c.rights.Load()
	c.written = c.toStandard(pk.Filters)
	c.verdicts = c.judge(access.Subscribe, pk.Filters)
	c.retain = make([]bool, len(pk.Filters))
	for i := range pk.Filters {
		sub := &pk.Filters[i]
		sub.Qos = min(sub.Qos, c.rights.Load().maxQoS)
		c.retain[i] = sub.RetainHandling == 0 || sub.RetainHandling == 1 && !c.hasSubscription(sub.Filter)
		sub.RetainHandling = 2 // the gate sends retained messages itself
	}
	return pk
}

// judge decides about the filters of a SUBSCRIBE or UNSUBSCRIBE, and empties
// the denied ones.
func (c *conn) judge(a access.Action, filters packets.Subscriptions) []byte {
	limits := &c.b.limits
	verdicts := make([]byte, len(filters))
	room := limits.MaxSubscriptions - c.countSubscriptions()
	for i := range filters {
		filter := filters[i].Filter
		fresh := a == access.Subscribe && !c.hasSubscription(filter)
		d := c.rights.Load().rules.Decide(a, filter)
		switch {
		case len(filters) > limits.MaxFilters:
			c.limited(LimitFilters, filter)
			verdicts[i] = frame.QuotaExceeded
		case d.Rule == access.RuleInvalid:
			c.deny(a, filter, d.Rule)
			verdicts[i] = frame.FilterInvalid
		case !d.Allowed:
			c.deny(a, filter, d.Rule)
			verdicts[i] = frame.NotAuthorized
		case fresh && room <= 0:
			c.limited(LimitSubscriptions, filter)
			verdicts[i] = frame.QuotaExceeded
		case fresh:
			room--
		}
		if a == access.Unsubscribe && verdicts[i] == frame.QuotaExceeded {
			verdicts[i] = frame.Implementation // UNSUBACK has no quota
		}
		if verdicts[i] != frame.Success {
			filters[i].Filter = ""
		}
	}
	return verdicts
}

// OnSubscribed completes the reason codes, and remembers what was granted.
func (h *hook) OnSubscribed(cl *mqtt.Client, pk packets.Packet, codes []byte) {
	c := gate(cl)
	if c == nil {
		return
	}
	var granted []string
	for i := range codes {
		if i < len(c.verdicts) && c.verdicts[i] != frame.Success {
			if codes[i] = c.verdicts[i]; c.version < frame.V5 {
				codes[i] = frame.Unspecified
			}
		}
		if codes[i] < frame.Unspecified {
			granted = append(granted, pk.Filters[i].Filter)
			if i < len(c.written) {
				c.kept.write(pk.Filters[i].Filter, c.written[i])
			}
			if i < len(c.retain) && c.retain[i] {
				c.askRetained(pk.Filters[i])
			}
		}
	}
	c.mu.Lock()
	for _, filter := range granted {
		c.subs[filter] = struct{}{}
	}
	c.mu.Unlock()
	if len(granted) > 0 {
		h.b.subscribed(granted...)
		c.keepSubscriptions()
		h.b.cfg.Handler.Subscribed(c.session, granted)
	}
	if c.rights.Load() != c.judged {
		c.review() // they changed meanwhile
	}
}

// OnUnsubscribe decides about each filter.
func (h *hook) OnUnsubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	if c := gate(cl); c != nil {
		c.toStandard(pk.Filters)
		c.verdicts = c.judge(access.Unsubscribe, pk.Filters)
		c.unsubscribing = true
	}
	return pk
}

// OnUnsubscribed forgets what was taken back. The library calls it also when it
// clears a session away; that is not the client's doing.
func (h *hook) OnUnsubscribed(cl *mqtt.Client, pk packets.Packet) {
	c := gate(cl)
	if c == nil || !c.unsubscribing {
		return
	}
	c.unsubscribing = false
	var gone []string
	c.mu.Lock()
	for _, f := range pk.Filters {
		if _, ok := c.subs[f.Filter]; ok {
			delete(c.subs, f.Filter)
			c.kept.write(f.Filter, f.Filter)
			gone = append(gone, f.Filter)
		}
	}
	c.mu.Unlock()
	if len(gone) > 0 {
		c.keepSubscriptions()
		h.b.cfg.Handler.Unsubscribed(c.session, gone)
	}
}

// keepSubscriptions has them on disk before the client is answered. On a full
// disk they hold all the same, as long as the hub runs: a watch that cannot
// subscribe would not ring.
func (c *conn) keepSubscriptions() {
	g := c.b.storeSession(c.client, c.kept)
	if g == nil {
		return
	}
	err := g.written(c.ctx)
	if err != nil && !errors.Is(err, fleet.ErrFull) && !c.isClosed() {
		c.end(CauseLost) // it subscribes again when it comes back
	}
}

// review takes from the client what its new rights do not cover. Messages are
// decided about one by one when their turn comes.
func (c *conn) review() {
	r := c.rights.Load()
	var gone []string
	for filter, sub := range c.client.State.Subscriptions.GetAll() {
		d := r.rules.Decide(access.Subscribe, filter)
		switch {
		case !d.Allowed:
			c.deny(access.Subscribe, filter, d.Rule)
			c.b.server.Topics.Unsubscribe(filter, c.client.ID)
			c.client.State.Subscriptions.Delete(filter)
			gone = append(gone, filter)
		case sub.Qos > r.maxQoS:
			sub.Qos = r.maxQoS
			c.b.server.Topics.Subscribe(c.client.ID, sub)
			c.client.State.Subscriptions.Add(filter, sub)
		}
	}
	if len(gone) == 0 {
		return
	}
	c.mu.Lock()
	for _, filter := range gone {
		delete(c.subs, filter)
	}
	c.mu.Unlock()
	c.b.storeSession(c.client, c.kept)
	c.b.cfg.Handler.Unsubscribed(c.session, gone)
}

// inherit takes over the subscriptions of a resumed session, as far as the
// client's rules still allow them, and returns them.
func (c *conn) inherit() []string {
	var granted []string
	most := c.rights.Load().maxQoS
	for filter, sub := range c.client.State.Subscriptions.GetAll() {
		if d := c.rights.Load().rules.Decide(access.Subscribe, filter); !d.Allowed {
			c.deny(access.Subscribe, filter, d.Rule)
			c.b.server.Topics.Unsubscribe(filter, c.client.ID)
			c.client.State.Subscriptions.Delete(filter)
			continue
		}
		if sub.Qos > most {
			sub.Qos = most
			c.b.server.Topics.Subscribe(c.client.ID, sub)
			c.client.State.Subscriptions.Add(filter, sub)
		}
		granted = append(granted, filter)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, filter := range granted {
		c.subs[filter] = struct{}{}
	}
	return granted
}

func (c *conn) countSubscriptions() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.subs)
}

func (c *conn) hasSubscription(filter string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.subs[filter]
	return ok
}

// subscribes reports whether one of the client's filters matches name.
func (c *conn) subscribes(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for filter := range c.subs {
		if _, rest, err := topic.SplitShare(filter); err == nil && topic.Match(rest, name) {
			return true
		}
	}
	return false
}
