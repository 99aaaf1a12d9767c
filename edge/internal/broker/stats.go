package broker

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// Refusal says why a connection was refused before it had a session.
type Refusal string

// The refusals.
const (
	RefusedConnections Refusal = "connections"     // MaxConnections
	RefusedAddress     Refusal = "address"         // MaxPerAddress
	RefusedHandshake   Refusal = "handshake"       // TLS or WebSocket
	RefusedCertificate Refusal = "certificate"     // the client's does not count
	RefusedOrigin      Refusal = "origin"          // a page of another origin
	RefusedSilent      Refusal = "silent"          // no CONNECT in time
	RefusedMalformed   Refusal = "malformed"       // not MQTT
	RefusedTooLarge    Refusal = "too_large"       // MaxConnectBytes
	RefusedCredentials Refusal = "credentials"     // the Authenticator: who is that?
	RefusedForbidden   Refusal = "forbidden"       // the Authenticator: not here
	RefusedClientID    Refusal = "client_id"       // not the identity's
	RefusedWill        Refusal = "will"            // rights or limits of the will
	RefusedIdentity    Refusal = "max_connections" // of the identity
	RefusedSuperseded  Refusal = "superseded"      // its client had connected again
	RefusedUnavailable Refusal = "unavailable"     // the hub cannot tell now
	RefusedBanned      Refusal = "banned"          // its address, after failed sign-ins
)

// DropReason says why a message was not delivered, or not taken.
type DropReason string

// The reasons.
const (
	DroppedSlow     DropReason = "slow_client"    // QoS 0 beyond MaxOutboundBytes
	DroppedSession  DropReason = "session_full"   // MaxQueued, MaxQueuedBytes or MaxQueuedTotal
	DroppedReceive  DropReason = "not_allowed"    // the receiver's rules
	DroppedExpired  DropReason = "expired"        // Message.Expires
	DroppedGone     DropReason = "not_connected"  // a message with a Ref, its device gone
	DroppedTooLarge DropReason = "payload_size"   // MaxPayloadBytes, inbound
	DroppedRetain   DropReason = "retain_refused" // Identity.Retain, inbound
	DroppedRefused  DropReason = "handler"        // Handler.Publish, inbound
	// DroppedRetainLimit: MaxRetained and its companions, inbound.
	DroppedRetainLimit DropReason = "retain_limit"
	// DroppedClientSize: larger than the client takes (Maximum Packet Size).
	DroppedClientSize DropReason = "client_packet_size"
)

// Limit names a limit that a connected client met.
type Limit string

// The limits.
const (
	LimitPacketBytes   Limit = "packet_bytes"
	LimitPayloadBytes  Limit = "payload_bytes"
	LimitQoS           Limit = "max_qos"
	LimitSubscriptions Limit = "subscriptions"
	LimitFilters       Limit = "filters"
	LimitInboundQoS2   Limit = "inbound_qos2"
	LimitKeepalive     Limit = "keepalive"
	LimitWriteStall    Limit = "write_stall"
	LimitBackpressure  Limit = "backpressure"
	LimitMalformed     Limit = "malformed"
	LimitQueue         Limit = "queue"
	LimitOutboundBytes Limit = "outbound_bytes"
	LimitRetained      Limit = "retained"
	LimitRate          Limit = "publish_rate"
	LimitSessions      Limit = "sessions"
)

// MessageKey is one row of the message counters.
type MessageKey struct {
	Direction string // "in", "out"
	QoS       byte
	// Type is a built-in device type, "system", or "other".
	Type string
	// Topic is the first four levels: obedio/{site}/{room}/{type}, or
	// obedio/{site}/system; "other" for names outside the grammar and for more
	// topics than are counted one by one.
	Topic string
}

// Stats are counters since the broker was made.
type Stats struct {
	// Connected is the number of sessions that have a connection now.
	Connected int
	// Open is the number of sockets now, those without a session included.
	Open        int
	Connections uint64 // sessions established
	Sockets     uint64 // connections accepted
	Expired     uint64 // sessions whose time was over
	// PacketsIn and PacketsOut are MQTT packets of every type.
	PacketsIn, PacketsOut uint64
	Panics                uint64
	Refused               map[Refusal]uint64
	Denied                map[access.Action]uint64
	Dropped               map[DropReason]uint64
	Limits                map[Limit]uint64
	Ended                 map[Cause]uint64
	Messages              map[MessageKey]uint64
	BytesIn               uint64
	BytesOut              uint64
	// PayloadIn and PayloadOut are the bytes of application messages.
	PayloadIn  uint64
	PayloadOut uint64
	// Retained messages, their bytes, and Sessions with and without connection,
	// now.
	Retained      int
	RetainedBytes int
	Sessions      int
	// QueuedBytes of all sessions, and OutboundBytes that wait for sockets, now.
	QueuedBytes, OutboundBytes int64
}

var (
	allRefusals = []Refusal{
		RefusedConnections, RefusedAddress, RefusedHandshake, RefusedCertificate, RefusedOrigin, RefusedSilent, RefusedMalformed,
		RefusedTooLarge, RefusedCredentials, RefusedForbidden, RefusedClientID, RefusedWill, RefusedIdentity,
		RefusedSuperseded, RefusedUnavailable, RefusedBanned,
	}
	allDrops = []DropReason{
		DroppedSlow, DroppedSession, DroppedReceive, DroppedExpired, DroppedGone,
		DroppedTooLarge, DroppedRetain, DroppedRefused, DroppedRetainLimit, DroppedClientSize,
	}
	allLimits = []Limit{
		LimitPacketBytes, LimitPayloadBytes, LimitQoS, LimitSubscriptions, LimitFilters, LimitInboundQoS2,
		LimitKeepalive, LimitWriteStall, LimitBackpressure, LimitMalformed, LimitQueue, LimitOutboundBytes, LimitRetained,
		LimitRate, LimitSessions,
	}
	allCauses = []Cause{
		CauseGoodbye, CauseLost, CauseProtocol, CauseRefused, CauseTakenOver, CauseKicked, CauseShutdown, CausePanic,
	}
)

// counts is a fixed set of named counters: its map is never written after it
// was made, so adding needs no lock.
type counts[K comparable] map[K]*atomic.Uint64

func newCounts[K comparable](keys []K) counts[K] {
	c := make(counts[K], len(keys))
	for _, k := range keys {
		c[k] = new(atomic.Uint64)
	}
	return c
}

func (c counts[K]) add(k K) { c[k].Add(1) }

func (c counts[K]) snapshot() map[K]uint64 {
	m := make(map[K]uint64, len(c))
	for k, v := range c {
		m[k] = v.Load()
	}
	return m
}

// Types of devices, and topics, as far as counters tell them apart.
const (
	typeSystem = "system"
	typeOther  = "other"
)

// maxCountedTopics are counted one by one; a site has a few hundred rooms with
// a few types of devices in each.
const maxCountedTopics = 2000

// place is the first levels of a topic.
type place struct {
	site fleet.SiteID
	room fleet.RoomID
	kind fleet.DeviceType
}

// tally counts the messages below one place, by direction and QoS.
type tally struct {
	kind, topic string
	n           [2][3]atomic.Uint64
}

// The directions of tally.
const (
	inbound = iota
	outbound
)

// tallies are the counters of messages by place.
type tallies struct {
	mu      sync.RWMutex // guards both
	byPlace map[place]*tally
	other   map[string]*tally // by type; for what is not counted one by one
}

func newTallies() *tallies {
	return &tallies{byPlace: make(map[place]*tally), other: make(map[string]*tally)}
}

// of returns the tally of a topic.
func (a *tallies) of(t topic.Topic) *tally {
	key := place{t.Site, t.Room, t.Type}
	a.mu.RLock()
	found := a.byPlace[key]
	a.mu.RUnlock()
	if found != nil {
		return found
	}
	kind := typeOther
	switch {
	case t.System:
		kind = typeSystem
	case slices.Contains(fleet.DeviceTypes(), t.Type):
		kind = string(t.Type)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if found = a.byPlace[key]; found != nil {
		return found
	}
	if t.IsZero() || len(a.byPlace) >= maxCountedTopics {
		if a.other[kind] == nil {
			a.other[kind] = &tally{kind: kind, topic: typeOther}
		}
		return a.other[kind]
	}
	name := topic.Root + "/" + string(t.Site) + "/" + typeSystem
	if !t.System {
		name = topic.Root + "/" + string(t.Site) + "/" + string(t.Room) + "/" + string(t.Type)
	}
	found = &tally{kind: kind, topic: name}
	a.byPlace[key] = found
	return found
}

func (a *tallies) snapshot() map[MessageKey]uint64 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	m := make(map[MessageKey]uint64)
	add := func(v *tally) {
		for d, direction := range []string{"in", "out"} {
			for qos := range v.n[d] {
				if n := v.n[d][qos].Load(); n > 0 {
					m[MessageKey{direction, byte(qos), v.kind, v.topic}] = n
				}
			}
		}
	}
	for _, v := range a.byPlace {
		add(v)
	}
	for _, v := range a.other {
		add(v)
	}
	return m
}

// counters are the broker's counters; any goroutine may add.
type counters struct {
	connections, panics, sockets, expired, packetsIn, packetsOut, bytesIn, bytesOut, payloadIn, payloadOut atomic.Uint64

	refused  counts[Refusal]
	denied   counts[access.Action]
	dropped  counts[DropReason]
	limits   counts[Limit]
	ended    counts[Cause]
	messages *tallies
}

func newCounters() *counters {
	return &counters{
		refused: newCounts(allRefusals), denied: newCounts(access.Actions()), dropped: newCounts(allDrops),
		limits: newCounts(allLimits), ended: newCounts(allCauses), messages: newTallies(),
	}
}
