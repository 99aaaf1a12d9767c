package broker

import (
	"context"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/topic"
)

// Wills are the gate's: the library never hears of them. It would publish them
// without asking for rights.

// lateWill is a will with a delay, after its connection has ended.
type lateWill struct {
	session Session
	rights  *rights
	will    frame.Will
	timer   *time.Timer
}

// publishWill does what the end of a connection means for its will.
func (c *conn) publishWill(cause Cause) {
	if c.will == nil {
		return
	}
	switch cause {
	case CauseGoodbye, CauseKicked, CauseShutdown:
		return // [MQTT-3.1.2-10]; or it is the hub that ended it
	case CauseLost, CauseProtocol, CauseRefused, CauseTakenOver, CausePanic:
	}
	delay := time.Duration(min(c.will.Delay, c.expiry)) * time.Second
	if delay == 0 {
		c.b.sendWill(c.session, c.rights.Load(), c.will)
		return
	}
	late := &lateWill{session: c.session, rights: c.rights.Load(), will: *c.will}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	if c.b.stopping {
		return
	}
	c.b.wills[c.session.Identity.ClientID] = late
	c.b.work.Add(1)
	late.timer = time.AfterFunc(delay, func() {
		defer c.b.work.Done()
		defer c.recover()
		c.b.mu.Lock()
		due := c.b.wills[late.session.Identity.ClientID] == late
		if due {
			delete(c.b.wills, late.session.Identity.ClientID)
		}
		c.b.mu.Unlock()
		if due {
			c.b.sendWill(late.session, late.rights, &late.will)
		}
	})
}

// settleLateWill decides about the will of the connection before this one: a
// session that goes on keeps it from being sent [MQTT-3.1.3-9], a session that
// ends has it sent now.
func (b *Broker) settleLateWill(c *conn) {
	b.mu.Lock()
	late := b.wills[c.session.Identity.ClientID]
	if late != nil {
		b.cancelWill(late)
	}
	b.mu.Unlock()
	if late != nil && c.session.Clean {
		b.sendWill(late.session, late.rights, &late.will)
	}
}

// cancelWill takes a delayed will off the list. b.mu is held.
func (b *Broker) cancelWill(late *lateWill) {
	delete(b.wills, late.session.Identity.ClientID)
	if late.timer.Stop() {
		b.work.Done() // otherwise the timer's function does it
	}
}

// dropLateWills forgets all delayed wills: the hub goes. b.mu is held.
func (b *Broker) dropLateWills() {
	for _, late := range b.wills {
		b.cancelWill(late)
	}
}

// sendWill publishes a will as if the client did it now. Its rights are asked
// again.
func (b *Broker) sendWill(s Session, r *rights, w *frame.Will) {
	id := &s.Identity
	d := r.rules.Decide(access.Send, w.Name)
	t, err := topic.Parse(w.Name)
	if !d.Allowed || err != nil && id.Device.ID != "" || w.Retain && !r.retain.Allows(t) || w.QoS > r.maxQoS {
		b.counters.denied.add(access.Send)
		return
	}
	m := Message{
		Topic: t, Name: w.Name, Payload: w.Payload, QoS: w.QoS, Retain: w.Retain, Will: true, Received: b.now(),
	}
	if err := b.cfg.Handler.Publish(context.Background(), &s, &m); err != nil {
		b.drop(id.ClientID, DroppedRefused)
		b.log.Warn("mqtt will not taken", "client", id.ClientID, "topic", w.Name, "error", err)
		return
	}
	b.counters.messages.of(t).n[inbound][w.QoS].Add(1)
	b.passedIn(id.ClientID, &m)
	var props packets.Properties
	if s.Version == frame.V5 && len(w.Properties) > 1 {
		props = decodeProperties(packets.WillProperties, w.Properties)
		props.WillDelayInterval = 0
	}
	if w.Retain && !b.retained.has(&b.limits, id.ClientID, w.Name, len(w.Payload)) {
		b.drop(id.ClientID, DroppedRetainLimit)
		m.Retain = false // it is still news
	}
	if _, err := b.route(context.Background(), id.ClientID, s.Version, &m, props, note{}); err != nil {
		b.log.Warn("mqtt will not kept", "client", id.ClientID, "topic", w.Name, "error", err)
	}
}
