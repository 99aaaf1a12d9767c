package broker

import (
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
)

// MessageKey is one row of the message counters. Type is bounded: a built-in
// device type, "system", or "other".
type MessageKey struct {
	Direction string // "in", "out"
	QoS       byte
	Type      string
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
		RefusedConnections, RefusedAddress, RefusedHandshake, RefusedOrigin, RefusedSilent, RefusedMalformed,
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
		LimitRate,
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

// Types of devices as far as counters tell them apart.
const (
	typeSystem = "system"
	typeOther  = "other"
)

func countedTypes() []string {
	names := []string{typeSystem, typeOther}
	for _, t := range fleet.DeviceTypes() {
		names = append(names, string(t))
	}
	return names
}

// counters are the broker's counters; any goroutine may add.
type counters struct {
	connections, panics, sockets, expired, packetsIn, packetsOut, bytesIn, bytesOut, payloadIn, payloadOut atomic.Uint64

	refused  counts[Refusal]
	denied   counts[access.Action]
	dropped  counts[DropReason]
	limits   counts[Limit]
	ended    counts[Cause]
	messages counts[MessageKey]
}

func newCounters() *counters {
	var keys []MessageKey
	for _, direction := range []string{"in", "out"} {
		for qos := range byte(3) {
			for _, t := range countedTypes() {
				keys = append(keys, MessageKey{direction, qos, t})
			}
		}
	}
	return &counters{
		refused: newCounts(allRefusals), denied: newCounts(access.Actions()), dropped: newCounts(allDrops),
		limits: newCounts(allLimits), ended: newCounts(allCauses), messages: newCounts(keys),
	}
}

// messagesOf is the counter of messages on a topic.
func (c *counters) messagesOf(direction string, qos byte, t topic.Topic) *atomic.Uint64 {
	key := MessageKey{direction, qos, string(t.Type)}
	if t.System {
		key.Type = typeSystem
	}
	n, ok := c.messages[key]
	if !ok {
		key.Type = typeOther
		n = c.messages[key]
	}
	return n
}
