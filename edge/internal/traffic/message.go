package traffic

import (
	"fmt"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Direction is the way of a message, as seen from the hub.
type Direction uint8

// The directions. The zero value stands for both, in filters.
const (
	Both Direction = iota
	Inbound
	Outbound
)

// String is the word that the API uses.
func (d Direction) String() string {
	switch d {
	case Inbound:
		return "inbound"
	case Outbound:
		return "outbound"
	case Both:
	}
	return ""
}

// ParseDirection reads a word of the API; "" is Both. ErrInvalid otherwise.
func ParseDirection(s string) (Direction, error) {
	for _, d := range []Direction{Both, Inbound, Outbound} {
		if s == d.String() {
			return d, nil
		}
	}
	return Both, fmt.Errorf("%w: direction %q: want inbound or outbound", fleet.ErrInvalid, s)
}

// Message is one message that passed the broker, from a client or to one.
type Message struct {
	// At is the hub's time, in milliseconds.
	At        time.Time
	Direction Direction
	// Device is the client id at the other end.
	Device string
	Topic  string
	// Type and Room are where that client belongs; empty if nobody knows.
	Type   fleet.DeviceType
	Room   fleet.RoomID
	QoS    byte
	Retain bool
	// Size of the payload in bytes.
	Size int
	// Payload of the message. Record reads it during the call only; from
	// history it is there when its recording was on, cut to the limit.
	Payload []byte
	// Truncated: Payload is only the beginning.
	Truncated bool
}

// Number is a numeric field of a payload.
type Number struct {
	Name  string
	Value float64
}

// Action is the kind of a message: the first level of its topic's tail.
type Action uint8

// The actions that are counted by name.
const (
	ActionOther Action = iota
	ActionStatus
	ActionHeartbeat
	ActionMetrics
	ActionPress
	ActionAck
	ActionRequest
	ActionCommand
	actionCount
)

var actionNames = [actionCount]string{"other", "status", "heartbeat", "metrics", "press", "ack", "request", "command"}

// String is the action's name.
func (a Action) String() string {
	if a < actionCount {
		return actionNames[a]
	}
	return actionNames[ActionOther]
}

// actionOf reads the action from a topic name, without parsing all of it.
func actionOf(name string) Action {
	rest := name
	for range 5 { // obedio/{site}/{room}/{type}/{device_id}/
		_, after, ok := strings.Cut(rest, "/")
		if !ok {
			return ActionOther
		}
		rest = after
	}
	tail, _, _ := strings.Cut(rest, "/")
	if tail == "cmd" {
		return ActionCommand
	}
	for a := ActionStatus; a < ActionCommand; a++ {
		if tail == actionNames[a] {
			return a
		}
	}
	return ActionOther
}

// record is a message as it waits in memory and as chunks hold it.
type record struct {
	at      int64 // milliseconds since 1970
	subject uint32
	stream  uint32
	size    uint32
	flags   uint8
	payload []byte
}

// The flags of a record: QoS in the lowest two bits.
const (
	flagQoS       = 3
	flagRetain    = 1 << 2
	flagPayload   = 1 << 3
	flagTruncated = 1 << 4
	flagsKnown    = 1<<5 - 1
)

// before is the order of records in a segment: each subject's together, in
// them each stream's, by time. Records that it does not tell apart keep the
// order in which they came.
func before(a, b record) int {
	switch {
	case a.subject != b.subject:
		return less(a.subject, b.subject)
	case a.stream != b.stream:
		return less(a.stream, b.stream)
	default:
		return less(a.at, b.at)
	}
}

func less[T int64 | uint32](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
