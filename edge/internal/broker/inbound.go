package broker

import (
	"errors"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// receive handles one packet of the client, or leaves it for the library.
func (c *conn) receive(h frame.Header, packet []byte) error {
	body := packet[h.Size:]
	switch h.Type {
	case frame.PUBLISH:
		p, err := frame.ParsePublish(c.version, h, body)
		if err != nil {
			return c.malformed(err)
		}
		return c.publish(p)

	case frame.PUBREL:
		a, err := frame.ParseAck(c.version, h.Type, body)
		if err != nil {
			return c.malformed(err)
		}
		reason := frame.Success
		if _, ok := c.inbound.received[a.PacketID]; !ok {
			reason = frame.PacketIDNotFound // [MQTT-4.3.3-13]: answered all the same
		}
		delete(c.inbound.received, a.PacketID)
		c.out.answer(frame.BuildAck(c.version, frame.PUBCOMP, a.PacketID, reason, ""))
		return nil

	case frame.PUBACK, frame.PUBREC, frame.PUBCOMP:
		a, err := frame.ParseAck(c.version, h.Type, body)
		if err != nil {
			return c.malformed(err)
		}
		c.acknowledged(h.Type, a)
		c.pending = packet

	case frame.PINGREQ:
		if h.Remaining != 0 {
			return c.malformed(&frame.Error{Reason: frame.Malformed, Text: "ping with a body"})
		}
		c.out.answer(frame.Pingresp())

	case frame.SUBSCRIBE, frame.UNSUBSCRIBE:
		if err := frame.CheckSubscribe(c.version, h.Type, body); err != nil {
			return c.malformed(err)
		}
		c.pending = packet

	case frame.DISCONNECT:
		return c.goodbye(body)

	case frame.CONNECT:
		return c.malformed(&frame.Error{Reason: frame.ProtocolError, Text: "second connect"}) // [MQTT-3.1.0-2]
	default:
		return c.malformed(&frame.Error{Reason: frame.ProtocolError, Text: "packet that a client does not send"})
	}
	return nil
}

func (c *conn) malformed(err error) error {
	c.b.counters.limits.add(LimitMalformed)
	return c.protocolError(err)
}

// goodbye handles DISCONNECT. The library gets one of the gate's making, with
// the session expiry bounded.
func (c *conn) goodbye(body []byte) error {
	g, err := frame.ParseDisconnect(c.version, body)
	if err != nil {
		return c.malformed(err)
	}
	if g.HasSessionExpiry {
		if g.SessionExpiry > 0 && c.expiry == 0 { // [MQTT-3.14.2-2]
			return c.malformed(&frame.Error{Reason: frame.ProtocolError, Text: "session expiry set at disconnect"})
		}
		g.SessionExpiry = min(g.SessionExpiry, uint32(c.b.limits.SessionExpiry.Seconds()))
		c.expiry = g.SessionExpiry
	}
	c.mu.Lock()
	if c.cause == "" {
		if c.cause = CauseGoodbye; g.Reason != frame.Success {
			c.cause = CauseLost // with any other reason code the will is published [MQTT-3.1.2-10]
		}
	}
	c.mu.Unlock()
	c.pending = frame.BuildGoodbye(c.version, g)
	return nil
}

// publish decides about a PUBLISH, hands it to the hub, routes it and only then
// acknowledges it.
func (c *conn) publish(p frame.Publish) error {
	id := &c.session.Identity
	if p.TopicAlias {
		return c.malformed(&frame.Error{Reason: frame.TopicAliasInvalid, Text: "topic alias: none is allowed"})
	}
	if p.QoS > id.MaxQoS {
		c.b.counters.limits.add(LimitQoS)
		return c.protocolError(&frame.Error{Reason: frame.QoSNotSupported, Text: "qos above the maximum"})
	}
	if p.QoS == 2 {
		if _, again := c.inbound.received[p.PacketID]; again {
			c.out.answer(frame.BuildAck(c.version, frame.PUBREC, p.PacketID, frame.Success, ""))
			return nil
		}
		if len(c.inbound.received) >= c.b.limits.MaxInboundQoS2 {
			c.b.counters.limits.add(LimitInboundQoS2)
			return c.protocolError(&frame.Error{Reason: frame.ReceiveMaximum, Text: "too many messages of qos 2 not released"})
		}
	}
	t, reason := c.admit(p)
	if reason != frame.Success {
		return c.refusePublish(p, reason)
	}
	m := Message{
		Topic: t, Name: p.Name, Payload: p.Payload, QoS: p.QoS, Retain: p.Retain, Dup: p.Dup, Received: c.b.now(),
	}
	if err := c.b.cfg.Handler.Publish(c.ctx, c.session, m); err != nil {
		c.b.counters.dropped.add(DroppedRefused)
		return c.refusePublish(p, refusalReason(err))
	}
	c.b.counters.message("in", p.QoS, t)
	c.b.passed(Passage{
		At: m.Received, Client: c.session.Identity.ClientID, Topic: t, Name: p.Name, QoS: p.QoS, Retain: p.Retain, Payload: p.Payload,
	})
	c.b.route(c.session.Identity.ClientID, c.version, m, publishProperties(c.version, p.Properties), note{})

	switch p.QoS {
	case 1:
		c.out.answer(frame.BuildAck(c.version, frame.PUBACK, p.PacketID, frame.Success, ""))
	case 2:
		c.inbound.received[p.PacketID] = struct{}{}
		c.out.answer(frame.BuildAck(c.version, frame.PUBREC, p.PacketID, frame.Success, ""))
	}
	if slow := c.pressed.Swap(nil); slow != nil && c.out.flushed(c.b.limits.MaxOutboundBytes) {
		slow.waitCaughtUp() // with this publish acknowledged
	}
	return nil
}

// admit applies rights and limits to a PUBLISH and returns its topic, or the
// reason code to refuse it with.
func (c *conn) admit(p frame.Publish) (topic.Topic, byte) {
	id := &c.session.Identity
	d := id.Rules.Decide(access.Send, p.Name)
	t, err := topic.Parse(p.Name)
	switch {
	case d.Rule == access.RuleInvalid, d.Allowed && err != nil && id.Device.ID != "":
		c.deny(access.Send, p.Name, access.RuleInvalid)
		return t, frame.TopicInvalid
	case !d.Allowed:
		c.deny(access.Send, p.Name, d.Rule)
		return t, frame.NotAuthorized
	case p.Retain && !id.Retain.Allows(t):
		c.b.counters.dropped.add(DroppedRetain)
		return t, frame.NotAuthorized
	case len(p.Payload) > c.b.limits.MaxPayloadBytes:
		c.b.counters.limits.add(LimitPayloadBytes)
		c.b.counters.dropped.add(DroppedTooLarge)
		return t, frame.QuotaExceeded
	}
	return t, frame.Success
}

// refusePublish answers a PUBLISH that nobody will see. At QoS 0 there is no
// answer; before MQTT 5 the only one is to end the connection, since a PUBACK
// would say that all is well.
func (c *conn) refusePublish(p frame.Publish, reason byte) error {
	switch {
	case p.QoS == 0:
		return nil
	case c.version < frame.V5:
		c.end(CauseRefused)
		return errEnded
	case p.QoS == 1:
		c.out.answer(frame.BuildAck(c.version, frame.PUBACK, p.PacketID, reason, ""))
	default:
		c.out.answer(frame.BuildAck(c.version, frame.PUBREC, p.PacketID, reason, ""))
	}
	return nil
}

// refusalReason is the reason code for an error of Handler.Publish.
func refusalReason(err error) byte {
	switch {
	case errors.Is(err, fleet.ErrInvalid):
		return frame.PayloadInvalid
	case errors.Is(err, fleet.ErrForbidden):
		return frame.NotAuthorized
	case errors.Is(err, fleet.ErrLimit):
		return frame.QuotaExceeded
	default:
		return frame.Implementation
	}
}

// publishProperties gives the properties of a PUBLISH, or of a will, the
// library's form. They are well-formed: frame has read them.
func publishProperties(version byte, raw []byte) (p packets.Properties) {
	if version == frame.V5 && len(raw) > 1 {
		return decodeProperties(packets.Publish, raw)
	}
	return p
}
