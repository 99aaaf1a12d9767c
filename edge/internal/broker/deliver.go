package broker

import (
	"errors"
	"net"
	"runtime/debug"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/topic"
)

// Write takes packets from the library. It never waits for the socket, as the
// library holds locks that its publishers want.
func (c *conn) Write(b []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			c.b.counters.panics.Add(1)
			c.b.log.Error("mqtt gate panicked", "panic", r, "remote", c.session.Remote, "stack", string(debug.Stack()))
			c.end(CausePanic)
			err = errEnded
		}
	}()
	if c.isClosed() {
		return 0, net.ErrClosed
	}
	for rest := b; len(rest) > 0; {
		h, more, err := frame.ParseHeader(rest)
		if err != nil || more || h.Total() > len(rest) {
			return 0, errors.New("packet of the library is not whole")
		}
		c.send(h, rest[:h.Total()])
		rest = rest[h.Total():]
	}
	return len(b), nil
}

// send decides what becomes of one packet of the library.
func (c *conn) send(h frame.Header, packet []byte) {
	switch h.Type {
	case frame.PUBLISH:
		c.resent(h, packet)
	case frame.DISCONNECT:
		// Before MQTT 5 a server does not send it.
		if c.version == frame.V5 {
			c.out.control(packet)
		}
	case frame.PUBREL:
		c.out.await(packet)
		c.out.control(packet)
	default:
		c.out.control(packet)
	}
}

// resent handles a PUBLISH that the library sends again when a session is
// resumed: it is held, and sent in its order.
func (c *conn) resent(h frame.Header, packet []byte) {
	id := frame.OutgoingID(h, packet[h.Size:])
	if pk, ok := c.client.State.Inflight.Get(id); ok {
		c.out.admit(id, noteOf(&pk), len(pk.Payload))
	}
}

// abandon forgets an outbound message that must not be sent. 0 is none.
func (c *conn) abandon(id uint16) {
	if id == 0 {
		return
	}
	c.out.settled(id)
	c.b.forgetInflight(c.client, id)
}

// acknowledged handles the client's answer to an outbound message, before the
// library does.
func (c *conn) acknowledged(t frame.Type, a frame.Ack) {
	received := t == frame.PUBACK || t == frame.PUBREC
	if t == frame.PUBREC && a.Reason < frame.Unspecified {
		// Delivered, and in the window until PUBCOMP.
		c.out.mu.Lock()
		f, ok := c.out.inflight[a.PacketID]
		ref := f.note.ref
		f.note.ref = ""
		if ok {
			c.out.inflight[a.PacketID] = f
		}
		c.out.mu.Unlock()
		if ok && c.kept.persistent.Load() {
			c.b.keeper.later(writePubrel(c.client.ID, a.PacketID))
		}
		c.delivered(ref)
		return
	}
	about, ok := c.out.settled(a.PacketID)
	if ok && received && a.Reason < frame.Unspecified {
		c.delivered(about.ref)
	}
	c.release()
}

func (c *conn) delivered(ref string) {
	if ref != "" {
		c.b.cfg.Handler.Delivered(c.session.Identity.ClientID, ref)
	}
}

// release sends held messages while there is room in the window.
func (c *conn) release() {
	for {
		next, ok := c.out.grant()
		if !ok {
			break
		}
		pk, ok := c.client.State.Inflight.Get(next.id)
		if !ok || pk.FixedHeader.Type != packets.Publish {
			c.out.settled(next.id)
			continue
		}
		if c.b.expired(&pk) {
			c.drop(DroppedExpired)
			c.abandon(next.id)
			continue
		}
		if !c.mayReceive(pk.TopicName) {
			c.abandon(next.id)
			continue
		}
		pk.FixedHeader.Dup = wasSent(&pk) // [MQTT-3.3.1-1]
		t, _ := topic.Parse(pk.TopicName) // outside the grammar it counts as other
		c.transmit(&pk, t)
	}
	c.out.relax(c.client.State.Inflight.Len() <= c.lowMark())
}

// The marks of a subscriber's backlog, between which it counts as catching up.
func (c *conn) highMark() int { return max(1, c.b.limits.MaxQueued/4) }
func (c *conn) lowMark() int  { return max(1, c.highMark()/2) }

// behind reports whether publishers should wait for this subscriber.
func (c *conn) behind() bool {
	if c.client.State.Inflight.Len() <= c.highMark() {
		return false
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return !c.out.slow && !c.out.closing
}

// waitCaughtUp makes a publisher wait, for at most Backpressure, until this
// subscriber's backlog is small again. One that has acknowledged nothing for
// StallTime is not waited for any more until it has caught up.
func (c *conn) waitCaughtUp() {
	c.out.mu.Lock()
	if c.out.slow || c.out.closing {
		c.out.mu.Unlock()
		return
	}
	if c.out.caughtUp == nil {
		c.out.caughtUp, c.out.progress = make(chan struct{}), time.Now()
	}
	caughtUp := c.out.caughtUp
	c.out.mu.Unlock()

	timer := time.NewTimer(c.b.limits.Backpressure)
	defer timer.Stop()
	select {
	case <-caughtUp:
	case <-timer.C:
		c.limited(LimitBackpressure, "")
		c.out.mu.Lock()
		c.out.slow = c.out.slow || time.Since(c.out.progress) >= c.b.limits.StallTime
		c.out.mu.Unlock()
	}
}

// relax lets publishers go on when the backlog is small.
func (o *outbox) relax(small bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !small {
		return
	}
	o.slow = false
	if o.caughtUp != nil {
		close(o.caughtUp)
		o.caughtUp = nil
	}
}

// dropReferred forgets the messages that were sent over this client's connection
// with a Ref: the hub sends them again.
func (c *conn) dropReferred() {
	if c.client == nil || c.session.Identity.Device.ID == "" {
		return
	}
	for _, pk := range c.client.State.Inflight.GetAll(false) {
		if c.b.referred(&pk, c.session.Identity.ClientID) {
			c.b.forgetInflight(c.client, pk.PacketID)
		}
	}
}

// referred reports whether a message was sent with a Ref over the connection of
// this client.
func (b *Broker) referred(pk *packets.Packet, clientID string) bool {
	if pk.FixedHeader.Type != packets.Publish || pk.Connect.ClientIdentifier == "" {
		return false
	}
	t, err := topic.Parse(pk.TopicName)
	return err == nil && noteOf(pk).carries(clientID, t.Device)
}

// forgetInflight removes a message from a session of the library.
func (b *Broker) forgetInflight(cl *mqtt.Client, id uint16) {
	if cl.State.Inflight.Delete(id) {
		b.settled(cl, id)
	}
}
