package broker

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/topic"
)

// The library knows who subscribes to what. What happens to a message then is
// the gate's: the library would put it into a queue of fixed length for each
// client, and drop what does not fit, whatever its QoS.

// errNotKept: a message could not be written to disk for a session that must
// not lose it. Its publisher is not answered, and may send it again.
var errNotKept = errors.New("message not kept")

// routed is one message on its way to its subscribers.
type routed struct {
	b *Broker
	// pk is the message as it was published; its payload is valid during the
	// route only.
	pk    packets.Packet
	topic topic.Topic
	about note
	// payload is the copy that sessions share, made for the first that keeps it.
	payload []byte
	groups  []*group // of writes that must be on disk before the publisher is answered
	slow    *conn    // a subscriber that has fallen behind
}

// write has something written with the next group: before the message is on its
// way, so that what its receiver's answer removes comes after it.
func (r *routed) write(writes ...Write) {
	if g := r.b.keeper.add(writes); g != nil && !slices.Contains(r.groups, g) {
		r.groups = append(r.groups, g)
	}
}

// route retains a message if asked, and hands it to its subscribers. Rights to
// publish it were decided before. It returns a subscriber that has fallen
// behind, if any. It waits for the disk when a session outside memory must not
// lose the message, and for nothing else.
func (b *Broker) route(ctx context.Context, origin string, version byte, m *Message, props packets.Properties, about note) (slow *conn, err error) {
	r := &routed{b: b, topic: m.Topic, about: about, pk: packets.Packet{
		ProtocolVersion: version,
		FixedHeader:     packets.FixedHeader{Type: packets.Publish, Qos: m.QoS, Retain: m.Retain},
		TopicName:       m.Name,
		Payload:         m.Payload,
		Properties:      props,
		Origin:          origin,
	}}
	if props.MessageExpiryInterval > 0 {
		r.pk.Expiry = b.now().Unix() + int64(props.MessageExpiryInterval)
	}
	b.routing.RLock()
	if m.Retain {
		r.retain()
	}
	for id, sub := range b.subscribersOf(m.Name) {
		if cl, ok := b.server.Clients.Get(id); ok {
			r.hand(cl, sub)
		}
	}
	b.routing.RUnlock()
	if m.QoS == 0 {
		return r.slow, nil
	}
	for _, g := range r.groups {
		if err := g.written(ctx); err != nil {
			return r.slow, errors.Join(errNotKept, err)
		}
	}
	return r.slow, nil
}

// subscribersOf returns one subscription for each client that is to get a
// message: of those that share a subscription one, connected if there is one.
func (b *Broker) subscribersOf(name string) map[string]packets.Subscription {
	found := b.matching(name)
	if len(found.Shared) > 0 {
		for _, group := range found.Shared {
			id := b.pick(group)
			sub := group[id]
			if known, ok := found.SharedSelected[id]; ok {
				sub = known.Merge(sub)
			}
			found.SharedSelected[id] = sub
		}
		found.MergeSharedSelected()
	}
	return found.Subscriptions
}

// matching returns the subscriptions whose filters match a topic name.
//
// A filter "a/#" matches its parent "a" too [MQTT-4.7.1.2], which the library's
// index misses when the parent ends in "+". It finds them for a name one level
// below, with a level that no filter may contain.
func (b *Broker) matching(name string) *mqtt.Subscribers {
	found := b.server.Topics.Subscribers(name)
	if !b.wildParents.Load() {
		return found
	}
	below := b.server.Topics.Subscribers(name + "/\x00")
	for filter, group := range below.Shared {
		if _, rest, err := topic.SplitShare(filter); err == nil && isWildParent(rest, name) {
			found.Shared[filter] = group
		}
	}
	for id := range below.Subscriptions {
		cl, ok := b.server.Clients.Get(id)
		if !ok {
			continue
		}
		for filter, sub := range cl.State.Subscriptions.GetAll() {
			if !isWildParent(filter, name) {
				continue
			}
			known, ok := found.Subscriptions[id]
			if !ok {
				known = sub
			}
			found.Subscriptions[id] = known.Merge(sub)
		}
	}
	return found
}

const wildParent = "+/#"

// isWildParent reports whether a filter ends in "+/#" and its parent, without
// the "/#", matches the name.
func isWildParent(filter, name string) bool {
	return strings.HasSuffix(filter, wildParent) && topic.Match(strings.TrimSuffix(filter, "/#"), name)
}

// subscribed takes note of filters that are in the library's index now.
func (b *Broker) subscribed(filters ...string) {
	for _, filter := range filters {
		if strings.HasSuffix(filter, wildParent) {
			b.wildParents.Store(true)
		}
	}
	b.subscriptions.Add(1)
}

// pick chooses one client of a shared subscription: one that is connected and
// keeps up, else one that is connected, else any. Maps begin anywhere, so the
// work is spread.
func (b *Broker) pick(group map[string]packets.Subscription) string {
	var any, connected string
	for id := range group {
		any = id
		cl, ok := b.server.Clients.Get(id)
		if !ok {
			continue
		}
		if c := gate(cl); c != nil && !c.isClosed() {
			if connected = id; cl.State.Inflight.Len() < c.lowMark() {
				return id
			}
		}
	}
	if connected != "" {
		return connected
	}
	return any
}

// hand gives the message to one subscriber.
func (r *routed) hand(cl *mqtt.Client, sub packets.Subscription) {
	if sub.NoLocal && r.pk.Origin == cl.ID {
		return // [MQTT-3.8.3-3]
	}
	c := gate(cl)
	live := c != nil && !c.isClosed()
	if !live && r.about.ref != "" && r.about.carries(cl.ID, r.topic.Device) {
		r.b.drop(cl.ID, DroppedGone)
		return
	}
	out := r.pk
	out.FixedHeader.Qos = min(out.FixedHeader.Qos, sub.Qos)
	if cl.Properties.ProtocolVersion < frame.V5 || !sub.RetainAsPublished {
		out.FixedHeader.Retain = false // [MQTT-3.3.1-12], [MQTT-3.3.1-9] of 3.1.1
	}
	if len(sub.Identifiers) > 0 {
		out.Properties.SubscriptionIdentifier = nil
		for _, id := range sub.Identifiers {
			if id > 0 {
				out.Properties.SubscriptionIdentifier = append(out.Properties.SubscriptionIdentifier, id) // [MQTT-3.3.4-3]
			}
		}
		slices.Sort(out.Properties.SubscriptionIdentifier)
	}
	if live && !c.mayReceive(out.TopicName) {
		return
	}
	if out.FixedHeader.Qos == 0 {
		if live {
			c.transmit(&out, r.topic)
		}
		return
	}
	if r.payload == nil {
		r.payload = bytes.Clone(r.pk.Payload)
	}
	out.Payload = r.payload
	r.about.attach(&out)
	w, ok := r.b.enqueue(cl, &out)
	if !ok {
		return
	}
	r.write(w...)
	if !live {
		return
	}
	if c.out.admit(out.PacketID, noteOf(&out), len(out.Payload)) {
		c.transmit(&out, r.topic)
	}
	if r.pk.Origin != cl.ID && c.behind() {
		r.slow = c
	}
}

// enqueue puts a message of QoS 1 or 2 into a session and gives it its packet
// id and its place in the order. It returns what must be written to disk for it.
// false: the session, or the hub, has no room for it.
func (b *Broker) enqueue(cl *mqtt.Client, pk *packets.Packet) ([]Write, bool) {
	kept := b.keptOf(cl)
	if kept == nil {
		return nil, false // the session is about to end
	}
	if cl.State.Inflight.Len() >= b.limits.MaxQueued || !kept.reserve(b, len(pk.Payload)) {
		b.sessionFull(cl)
		return nil, false
	}
	id, err := cl.NextPacketID()
	if err != nil {
		b.sessionFull(cl)
		return nil, false
	}
	pk.PacketID = uint16(id)
	pk.Created = b.order.Add(1)
	kept.hold(b, pk.PacketID, len(pk.Payload))
	cl.State.Inflight.Set(*pk)
	if kept.persistent.Load() && pk.Connect.ClientIdentifier == "" {
		return []Write{writeMessage(cl.ID, pk)}, true
	}
	return nil, true
}

// sessionFull reports a message that a session could not hold.
func (b *Broker) sessionFull(cl *mqtt.Client) {
	b.drop(cl.ID, DroppedSession)
	o := Objection{Kind: ObjectionLimited, ClientID: cl.ID, Reason: string(LimitQueue), At: b.now()}
	if c := gate(cl); c != nil {
		o.Username, o.Remote, o.Listener = c.session.Identity.Username, c.session.Remote, c.session.Listener
	}
	b.counters.limits.add(LimitQueue)
	b.object(o)
}

// mayReceive decides about a delivery.
func (c *conn) mayReceive(name string) bool {
	d := c.rights.Load().rules.Decide(access.Receive, name)
	if !d.Allowed {
		c.drop(DroppedReceive)
		c.deny(access.Receive, name, d.Rule)
	}
	return d.Allowed
}

var encoders = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// transmit writes a PUBLISH to the client's socket, or drops it: of QoS 0 when
// the client is too far behind, of any QoS when it is larger than the client
// takes.
func (c *conn) transmit(pk *packets.Packet, t topic.Topic) {
	pk.ProtocolVersion = c.version
	pk.Mods.AllowResponseInfo = true
	if pk.Expiry > 0 {
		pk.Properties.MessageExpiryInterval = uint32(max(1, pk.Expiry-c.b.now().Unix())) // [MQTT-3.3.2-6]
	}
	buf := encoders.Get().(*bytes.Buffer)
	defer encoders.Put(buf)
	buf.Reset()
	wire := *pk
	wire.TopicName = c.nameFor(pk.TopicName)
	if err := wire.PublishEncode(buf); err != nil {
		c.b.log.Error("mqtt message not encoded", "topic", pk.TopicName, "error", err)
		c.abandon(pk.PacketID)
		return
	}
	if most := c.client.Properties.Props.MaximumPacketSize; most > 0 && uint32(buf.Len()) > most {
		c.drop(DroppedClientSize) // [MQTT-3.1.2-24], [MQTT-3.1.2-25]
		c.abandon(pk.PacketID)
		return
	}
	if !c.out.push(pk.FixedHeader.Qos, buf.Bytes()) {
		c.drop(DroppedSlow)
		c.limited(LimitOutboundBytes, pk.TopicName)
		return
	}
	c.b.counters.messages.of(t).n[outbound][pk.FixedHeader.Qos].Add(1)
	c.b.counters.payloadOut.Add(uint64(len(pk.Payload)))
	if c.b.cfg.Passed != nil {
		c.b.cfg.Passed(Passage{
			At: c.b.now(), Out: true, Client: c.session.Identity.ClientID, Topic: t, Name: pk.TopicName,
			QoS: pk.FixedHeader.Qos, Retain: pk.FixedHeader.Retain, Payload: pk.Payload,
		})
	}
}

// expired reports whether a message must not be sent any more, by the hub's
// word or by its publisher's.
func (b *Broker) expired(pk *packets.Packet) bool {
	now := b.now()
	about := noteOf(pk)
	return about.expires != 0 && now.UnixNano() >= about.expires || pk.Expiry > 0 && now.After(time.Unix(pk.Expiry, 0))
}
