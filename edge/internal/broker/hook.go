package broker

import (
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
)

// hook is the one hook of the library. Connections were decided by the gate
// before the library saw them; here are the decisions about subscriptions, and
// what binds a session of the library to its gate.
type hook struct {
	mqtt.HookBase
	b *Broker
}

// ID is the hook's name in the library's log.
func (h *hook) ID() string { return "gate" }

// Provides lists the methods below.
func (h *hook) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnSessionEstablish, mqtt.OnSessionEstablished,
		mqtt.OnPacketRead, mqtt.OnPacketEncode, mqtt.OnSubscribe, mqtt.OnSubscribed, mqtt.OnUnsubscribe,
		mqtt.OnUnsubscribed, mqtt.OnQosComplete, mqtt.OnQosDropped, mqtt.OnRetainedExpired:
		return true
	}
	return false
}

// gate returns the gate behind a client of the library, that of its last
// connection when it has none; nil for one that has not connected since the
// hub's start.
func gate(cl *mqtt.Client) *conn {
	c, _ := cl.Net.Conn.(*conn)
	return c
}

// OnConnectAuthenticate lets in who came through the gate, and nobody else.
func (h *hook) OnConnectAuthenticate(cl *mqtt.Client, _ packets.Packet) bool {
	c := gate(cl)
	return c != nil && c.kept != nil && cl.ID == c.session.Identity.ClientID
}

// OnACLCheck says yes to what was decided elsewhere: a filter in OnSubscribe, a
// delivery by the gate, message by message, also where the library does not
// ask. Publishes do not come here.
func (h *hook) OnACLCheck(cl *mqtt.Client, _ string, write bool) bool {
	return !write
}

// OnSessionEstablish precedes the library's move of a session from its old
// client to this one. From here until OnSessionEstablished no message is routed:
// the client would get it before its CONNACK, or twice.
func (h *hook) OnSessionEstablish(cl *mqtt.Client, _ packets.Packet) {
	c := gate(cl)
	c.client = cl
	c.out.resume()
	// The gate keeps the client's Receive Maximum; the library's quota leaks.
	cl.Properties.Props.ReceiveMaximum = 0
	cl.Properties.Props.SessionExpiryIntervalFlag = false // the gate keeps that time too
	cl.State.Inflight.ResetSendQuota(0)
	h.b.routing.Lock()
	c.routingLocked = true
}

// OnSessionEstablished follows the CONNACK and what the library resends.
func (h *hook) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	c := gate(cl)
	cl.State.Inflight.ResetSendQuota(0) // an inherited session has set it
	granted := c.inherit()
	c.established.Store(true)
	h.b.counters.connections.Add(1)
	c.out.resumed()
	c.routingLocked = false
	h.b.routing.Unlock()
	c.release()
	h.b.cfg.Handler.Connected(c.session)
	h.b.storeSession(cl, c.kept)
	if len(granted) > 0 {
		h.b.subscribed(granted...)
		h.b.cfg.Handler.Subscribed(c.session, granted)
	}
}

// OnPacketRead takes the packet ids of SUBSCRIBE and UNSUBSCRIBE from the
// library: it would look for them among the ids of outbound messages, and
// refuse the packet for one that it finds.
func (h *hook) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if t := pk.FixedHeader.Type; t == packets.Subscribe || t == packets.Unsubscribe {
		if c := gate(cl); c != nil {
			c.requestID, c.verdicts = pk.PacketID, nil
			pk.PacketID, pk.FixedHeader.Qos = 0, 0
		}
	}
	return pk, nil
}

// OnPacketEncode completes the library's answers.
func (h *hook) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	c := gate(cl)
	if c == nil {
		return pk
	}
	switch pk.FixedHeader.Type {
	case packets.Publish:
		// Of a resumed session: the gate sends it when its turn comes, and reads the
		// packet id only. A message too large for the client must not end here the
		// connection of a session that it is only waiting in.
		pk.Payload, pk.Properties, pk.Mods.MaxSize = nil, packets.Properties{}, 0
	case packets.Connack:
		c.session.Resumed = pk.SessionPresent
		c.connack(&pk.Properties)
	case packets.Suback:
		pk.PacketID = c.requestID
	case packets.Unsuback:
		pk.PacketID = c.requestID
		for i, code := range c.verdicts {
			if code != frame.Success && i < len(pk.ReasonCodes) {
				pk.ReasonCodes[i] = code
			}
		}
	}
	return pk
}

// connack says what the hub grants to an MQTT 5 client.
func (c *conn) connack(p *packets.Properties) {
	limits, id, r := &c.b.limits, &c.session.Identity, c.rights.Load()
	if c.assigned {
		p.AssignedClientID = id.ClientID
	}
	p.MaximumPacketSize = uint32(limits.MaxPacketBytes)
	p.MaximumQos, p.MaximumQosFlag = r.maxQoS, r.maxQoS < 2
	p.RetainAvailable, p.RetainAvailableFlag = 0, r.retain == access.RetainNothing
	p.ServerKeepAlive = uint16(c.keepalive.Seconds())
	p.ServerKeepAliveFlag = c.keepaliveGiven
	p.SessionExpiryInterval, p.SessionExpiryIntervalFlag = c.expiry, c.expiryBounded
}

// OnQosComplete and OnQosDropped follow the end of a message of QoS 1 or 2.
func (h *hook) OnQosComplete(cl *mqtt.Client, pk packets.Packet) { h.over(cl, pk) }

// OnQosDropped is part of the library's Hook.
func (h *hook) OnQosDropped(cl *mqtt.Client, pk packets.Packet) { h.over(cl, pk) }

func (h *hook) over(cl *mqtt.Client, pk packets.Packet) {
	if !cl.IsTakenOver() { // otherwise its messages live on in the next connection
		h.b.settled(cl, pk.PacketID)
	}
}

// OnRetainedExpired forgets a retained message whose time is over.
func (h *hook) OnRetainedExpired(name string) { h.b.unretained(name) }
