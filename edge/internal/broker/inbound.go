package broker

import (
	"context"
	"errors"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
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
		err = c.publish(p)
		c.message = Message{} // its payload goes with the packet
		if err != nil {
			return err
		}
		if !c.throttle(h.Total()) {
			return errEnded
		}
		return nil

	case frame.PUBREL:
		a, err := frame.ParseAck(c.version, h.Type, body)
		if err != nil {
			return c.malformed(err)
		}
		reason := frame.Success
		if _, ok := c.kept.received[a.PacketID]; !ok {
			reason = frame.PacketIDNotFound // [MQTT-4.3.3-13]: answered all the same
		}
		delete(c.kept.received, a.PacketID)
		if c.kept.persistent.Load() {
			c.b.keeper.later(Write{Key: keyOf(keptInbound, c.client.ID, a.PacketID)})
		}
		c.out.answer(frame.BuildAck(c.version, frame.PUBCOMP, a.PacketID, reason, ""))
		return nil

	case frame.PUBACK, frame.PUBREC, frame.PUBCOMP:
		a, err := frame.ParseAck(c.version, h.Type, body)
		if err != nil {
			return c.malformed(err)
		}
		c.acknowledged(h.Type, a)
		c.forLibrary(packet)

	case frame.PINGREQ:
		if h.Remaining != 0 {
			return c.malformed(&frame.Error{Reason: frame.Malformed, Text: "ping with a body"})
		}
		c.out.answer(frame.Pingresp())

	case frame.SUBSCRIBE, frame.UNSUBSCRIBE:
		if err := frame.CheckSubscribe(c.version, h.Type, body); err != nil {
			return c.malformed(err)
		}
		if !c.throttle(h.Total()) {
			return errEnded
		}
		c.forLibrary(packet)

	case frame.DISCONNECT:
		return c.goodbye(body)

	case frame.CONNECT:
		return c.malformed(&frame.Error{Reason: frame.ProtocolError, Text: "second connect"}) // [MQTT-3.1.0-2]
	default:
		return c.malformed(&frame.Error{Reason: frame.ProtocolError, Text: "packet that a client does not send"})
	}
	return nil
}

// forLibrary leaves a packet for the library's next Read.
func (c *conn) forLibrary(packet []byte) { c.pending, c.keepPacket = packet, true }

func (c *conn) malformed(err error) error {
	c.limited(LimitMalformed, err.Error())
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
	c.pending = frame.BuildGoodbye()
	return nil
}

// publish decides about a PUBLISH, hands it to the hub, routes it and only then
// acknowledges it. A message that nobody subscribes to, and that is not to be
// retained, has no business in the library: most telemetry goes this short way.
func (c *conn) publish(p frame.Publish) error {
	if p.TopicAlias {
		return c.malformed(&frame.Error{Reason: frame.TopicAliasInvalid, Text: "topic alias: none is allowed"})
	}
	if p.QoS > c.rights.Load().maxQoS {
		c.limited(LimitQoS, "")
		return c.protocolError(&frame.Error{Reason: frame.QoSNotSupported, Text: "qos above the maximum"})
	}
	if p.QoS == 2 {
		// An id from before a restart may have been released since: only what is
		// marked as a duplicate is one then [MQTT-3.3.1-1].
		if restored, again := c.kept.received[p.PacketID]; again && (p.Dup || !restored) {
			c.out.answer(frame.BuildAck(c.version, frame.PUBREC, p.PacketID, frame.Success, ""))
			return nil
		}
		if len(c.kept.received) >= c.b.limits.MaxInboundQoS2 {
			c.limited(LimitInboundQoS2, "")
			return c.protocolError(&frame.Error{Reason: frame.ReceiveMaximum, Text: "too many messages of qos 2 not released"})
		}
	}
	k := c.course(p.Name)
	if reason := c.admit(p, k); reason != frame.Success {
		return c.refusePublish(p, reason)
	}
	m := &c.message
	*m = Message{
		Topic: k.topic, Name: k.name, Payload: p.Payload, QoS: p.QoS, Retain: p.Retain, Dup: p.Dup, Received: c.b.now(),
	}
	err := c.b.cfg.Handler.Publish(c.ctx, &c.session, m)
	known := errors.Is(err, ErrKnown)
	if err != nil && !known {
		c.drop(DroppedRefused)
		return c.refusePublish(p, refusalReason(err))
	}
	k.tally.n[inbound][p.QoS].Add(1)
	c.b.counters.payloadIn.Add(uint64(len(p.Payload)))
	c.b.passedIn(c.session.Identity.ClientID, m)
	var slow *conn
	if !known && (p.Retain || c.b.isHeard(k)) {
		slow, err = c.b.route(context.Background(), c.session.Identity.ClientID, c.version, m, publishProperties(c.version, p.Properties), note{})
		if err != nil {
			return c.refusePublish(p, refusalReason(err))
		}
	}
	switch p.QoS {
	case 1:
		c.out.answerAck(frame.PUBACK, p.PacketID)
	case 2:
		if err := c.receivedOnce(p.PacketID); err != nil {
			return c.refusePublish(p, refusalReason(err))
		}
		c.out.answerAck(frame.PUBREC, p.PacketID)
	}
	if slow != nil && c.out.flushed(c.b.limits.MaxOutboundBytes) {
		slow.waitCaughtUp() // with this publish acknowledged
	}
	return nil
}

// receivedOnce remembers a message of QoS 2 until its PUBREL, also over a
// restart when the session does.
func (c *conn) receivedOnce(id uint16) error {
	c.kept.received[id] = false
	if !c.kept.persistent.Load() {
		return nil
	}
	err := c.b.keeper.now(c.ctx, Write{Key: keyOf(keptInbound, c.client.ID, id), Value: []byte{}})
	if err != nil && c.version == frame.V5 {
		delete(c.kept.received, id) // it is refused, and the id free again [MQTT-4.3.3-9]
	}
	return err
}

// admit applies rights and limits to a PUBLISH and returns the reason code to
// refuse it with, or Success.
func (c *conn) admit(p frame.Publish, k *course) byte {
	switch {
	case k.refusal != frame.Success:
		c.deny(access.Send, k.name, k.rule)
		return k.refusal
	case p.Retain && !k.retain:
		c.drop(DroppedRetain)
		c.deny(access.Send, k.name, ruleRetain)
		return frame.NotAuthorized
	case len(p.Payload) > c.b.limits.MaxPayloadBytes:
		c.limited(LimitPayloadBytes, k.name)
		c.drop(DroppedTooLarge)
		return frame.QuotaExceeded
	case p.Retain && !c.b.retained.has(&c.b.limits, c.session.Identity.ClientID, k.name, len(p.Payload)):
		c.limited(LimitRetained, k.name)
		c.drop(DroppedRetainLimit)
		return frame.QuotaExceeded
	}
	return frame.Success
}

// ruleRetain is the rule that refuses a retained message.
const ruleRetain = "retain: not allowed"

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
