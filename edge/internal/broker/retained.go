package broker

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/shared/topic"
)

// retainedIndex counts what is retained, by who published it.
type retainedIndex struct {
	mu      sync.Mutex // guards what follows
	byName  map[string]retainedEntry
	byOwner map[string]retainedSum
	all     retainedSum
}

type retainedEntry struct {
	owner string
	bytes int
}

type retainedSum struct{ count, bytes int }

func newRetainedIndex() *retainedIndex {
	return &retainedIndex{byName: make(map[string]retainedEntry), byOwner: make(map[string]retainedSum)}
}

// has reports whether there is room for a message of owner to be retained
// under a name, in the place of what is there. One without payload needs none.
func (x *retainedIndex) has(l *Limits, owner, name string, size int) bool {
	if size == 0 {
		return true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	own, all := x.byOwner[owner], x.all
	if old, ok := x.byName[name]; ok {
		all.count, all.bytes = all.count-1, all.bytes-old.bytes
		if old.owner == owner {
			own.count, own.bytes = own.count-1, own.bytes-old.bytes
		}
	}
	size += len(name)
	return own.count < l.MaxRetained && own.bytes+size <= l.MaxRetainedBytes &&
		all.count < l.MaxRetainedTotal && all.bytes+size <= l.MaxRetainedTotalBytes
}

// set notes what is retained under a name; nothing when size is 0.
func (x *retainedIndex) set(owner, name string, size int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if old, ok := x.byName[name]; ok {
		x.add(old.owner, -1, -old.bytes)
		delete(x.byName, name)
	}
	if size > 0 {
		size += len(name)
		x.byName[name] = retainedEntry{owner, size}
		x.add(owner, 1, size)
	}
}

func (x *retainedIndex) add(owner string, count, size int) {
	s := x.byOwner[owner]
	s.count, s.bytes = s.count+count, s.bytes+size
	x.byOwner[owner] = s
	if s.count == 0 {
		delete(x.byOwner, owner)
	}
	x.all.count, x.all.bytes = x.all.count+count, x.all.bytes+size
}

func (x *retainedIndex) sum() (count, size int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.all.count, x.all.bytes
}

// retain keeps the message as the newest of its topic, or removes that one when
// it has no payload [MQTT-3.3.1-6].
func (r *routed) retain() {
	pk := r.pk
	pk.FixedHeader.Retain = true
	if len(pk.Payload) > 0 {
		r.payload = bytes.Clone(pk.Payload)
		pk.Payload = r.payload
		pk.Created = r.b.order.Add(1)
	}
	// Memory, counts and disk end with the same one of two that come at once.
	r.b.retaining.Lock()
	defer r.b.retaining.Unlock()
	r.b.server.Topics.RetainMessage(pk)
	r.b.retained.set(pk.Origin, pk.TopicName, len(pk.Payload))
	w := Write{Key: keptRetained + pk.TopicName}
	if len(pk.Payload) > 0 {
		pk.PacketID = 1 // the form on disk wants one
		w.Value = encodeMessage(&pk)
	}
	r.write(w)
}

// ClearRetained removes the retained messages of all topics below a base, as an
// empty retained message does.
func (b *Broker) ClearRetained(base string) {
	for _, pk := range b.server.Topics.Messages(base + "/#") {
		r := &routed{b: b, pk: packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true}, TopicName: pk.TopicName, Origin: pk.Origin,
		}}
		r.retain()
	}
}

// unretained forgets the retained message of a topic.
func (b *Broker) unretained(name string) {
	b.retained.set("", name, 0)
	b.keeper.later(Write{Key: keptRetained + name})
}

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
	filters := []string{sub.Filter}
	if parent, ok := strings.CutSuffix(sub.Filter, "/#"); ok {
		filters = append(filters, parent) // it matches too [MQTT-4.7.1.2]; the library does not find it
	}
	var due []dueRetained
	asked := map[string]bool{}
	for _, filter := range filters {
		for _, pk := range c.b.server.Topics.Messages(filter) {
			due = append(due, dueRetained{pk.TopicName, sub.Qos, sub.Identifier})
			asked[pk.TopicName] = true
		}
	}
	// Who asks again before it has read is owed each once.
	c.due = append(slices.DeleteFunc(c.due, func(d dueRetained) bool { return asked[d.name] && d.identifier == sub.Identifier }), due...)
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
		if pk, ok := c.b.server.Topics.Retained.Get(next.name); ok && !c.b.expired(&pk) && c.mayReceive(next.name) {
			c.sendOneRetained(pk, next)
		}
	}
	return true
}

func (c *conn) sendOneRetained(out packets.Packet, due dueRetained) {
	out.FixedHeader.Retain = true // [MQTT-3.3.1-8]
	out.FixedHeader.Qos = min(out.FixedHeader.Qos, due.qos)
	out.PacketID, out.Properties.SubscriptionIdentifier = 0, nil
	if due.identifier > 0 {
		out.Properties.SubscriptionIdentifier = []int{due.identifier}
	}
	t, _ := topic.Parse(out.TopicName) // outside the grammar it counts as other
	if out.FixedHeader.Qos == 0 {
		c.transmit(&out, t)
		return
	}
	writes, ok := c.b.enqueue(c.client, &out)
	if !ok {
		return
	}
	c.b.keeper.later(writes...)
	if c.out.admit(out.PacketID, noteOf(&out), len(out.Payload)) {
		c.transmit(&out, t)
	}
}
