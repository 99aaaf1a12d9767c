package broker

import (
	"strings"
	"sync/atomic"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/shared/topic"
)

// A subscription is answered with the retained messages that it matches. The
// library would put all of them into its queue at once, and drop what does not
// fit: of a thousand devices' statuses about half. So the gate sends them
// itself, at the pace of the client, each with its newest value.

// dueRetained is a retained message that the client is still to be sent.
type dueRetained struct {
	name       string
	qos        byte // granted to the subscription
	identifier int  // of the subscription; 0: none
}

// askRetained notes what a granted subscription is to be sent.
func (c *conn) askRetained(sub packets.Subscription) {
	group, _, err := topic.SplitShare(sub.Filter)
	if err != nil || group != "" {
		return // shared subscriptions get none
	}
	retained := c.b.server.Topics
	for _, pk := range retained.Messages(sub.Filter) {
		c.due = append(c.due, dueRetained{pk.TopicName, sub.Qos, sub.Identifier})
	}
	// The library does not find the parent of a #.
	if parent, ok := strings.CutSuffix(sub.Filter, "/#"); ok && !strings.ContainsAny(parent, "+#") {
		if _, ok := retained.Retained.Get(parent); ok {
			c.due = append(c.due, dueRetained{parent, sub.Qos, sub.Identifier})
		}
	}
}

// sendRetained sends due messages until the client's backlog is at its mark;
// the next acknowledgement goes on with them. It waits while the socket takes
// nothing: the client has asked for it. false: the connection has ended.
func (c *conn) sendRetained() bool {
	for len(c.due) > 0 {
		if c.client.State.Inflight.Len() >= c.lowMark() {
			return true
		}
		if !c.out.flushed(c.b.limits.MaxOutboundBytes / 2) {
			return false
		}
		next := c.due[0]
		c.due = c.due[1:]
		if len(c.due) == 0 {
			c.due = nil
		}
		if pk, ok := c.b.server.Topics.Retained.Get(next.name); ok {
			c.sendOneRetained(pk, next)
		}
	}
	return true
}

func (c *conn) sendOneRetained(pk packets.Packet, due dueRetained) {
	out := pk.Copy(false)
	out.FixedHeader.Retain = true // [MQTT-3.3.1-8]
	out.FixedHeader.Qos = min(out.FixedHeader.Qos, due.qos)
	if due.identifier > 0 {
		out.Properties.SubscriptionIdentifier = []int{due.identifier}
	}
	if out.FixedHeader.Qos > 0 {
		id, err := c.client.NextPacketID()
		if err != nil {
			c.b.counters.dropped.add(DroppedSession)
			return
		}
		out.PacketID = uint16(id)
		out.Created = c.b.order.Add(1)
		if c.client.State.Inflight.Set(out) {
			atomic.AddInt64(&c.b.server.Info.Inflight, 1)
		}
	}
	if err := c.client.WritePacket(out); err != nil && !c.isClosed() {
		c.abandon(out.PacketID) // larger than the client takes
	}
}
