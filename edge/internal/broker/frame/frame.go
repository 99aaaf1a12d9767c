// Package frame reads and builds MQTT control packets as bytes: where a packet
// ends, whether it is well-formed, and the few fields that the gate of the
// broker needs. It knows MQTT 3.1, 3.1.1 and 5.
//
// Everything is pure, takes any input and never allocates by what a length
// field claims. What it lets pass, the library behind the gate can decode.
package frame

import "fmt"

// Type is the type of a control packet.
type Type byte

// The control packet types.
const (
	CONNECT Type = iota + 1
	CONNACK
	PUBLISH
	PUBACK
	PUBREC
	PUBREL
	PUBCOMP
	SUBSCRIBE
	SUBACK
	UNSUBSCRIBE
	UNSUBACK
	PINGREQ
	PINGRESP
	DISCONNECT
	AUTH
)

// Protocol levels.
const (
	V31  = 3
	V311 = 4
	V5   = 5
)

// Reason codes of MQTT 5 that the gate gives or reads.
const (
	Success            byte = 0x00
	Unspecified        byte = 0x80
	Malformed          byte = 0x81
	ProtocolError      byte = 0x82
	Implementation     byte = 0x83
	UnsupportedVersion byte = 0x84
	ClientIDNotValid   byte = 0x85
	BadCredentials     byte = 0x86
	NotAuthorized      byte = 0x87
	ServerUnavailable  byte = 0x88
	ServerShuttingDown byte = 0x8b
	BadAuthMethod      byte = 0x8c
	KeepAliveTimeout   byte = 0x8d
	SessionTakenOver   byte = 0x8e
	FilterInvalid      byte = 0x8f
	TopicInvalid       byte = 0x90
	PacketIDNotFound   byte = 0x92
	ReceiveMaximum     byte = 0x93
	TopicAliasInvalid  byte = 0x94
	PacketTooLarge     byte = 0x95
	QuotaExceeded      byte = 0x97
	Administrative     byte = 0x98
	PayloadInvalid     byte = 0x99
	RetainNotSupported byte = 0x9a
	QoSNotSupported    byte = 0x9b
)

// maxHeader is the greatest length of a fixed header.
const maxHeader = 5

// Error says what is wrong with a packet, with the reason code that tells an
// MQTT 5 client.
type Error struct {
	Reason byte
	Text   string
}

func (e *Error) Error() string { return e.Text }

func malformed(format string, args ...any) *Error {
	return &Error{Malformed, fmt.Sprintf(format, args...)}
}

func violation(format string, args ...any) *Error {
	return &Error{ProtocolError, fmt.Sprintf(format, args...)}
}

// Header is a packet's fixed header.
type Header struct {
	Type  Type
	Flags byte
	// Size is the length of the fixed header itself, Remaining of what follows.
	Size, Remaining int
}

// Total is the length of the whole packet.
func (h Header) Total() int { return h.Size + h.Remaining }

// QoS, Dup and Retain are the flags of PUBLISH.
func (h Header) QoS() byte    { return h.Flags >> 1 & 3 }
func (h Header) Dup() bool    { return h.Flags&8 != 0 }
func (h Header) Retain() bool { return h.Flags&1 != 0 }

// ParseHeader reads the fixed header at the start of b. more is true when b
// ends before the header does. The flags are checked [MQTT-2.1.3-1].
func ParseHeader(b []byte) (h Header, more bool, err error) {
	if len(b) == 0 {
		return h, true, nil
	}
	h.Type, h.Flags = Type(b[0]>>4), b[0]&0x0f
	want := byte(0)
	switch h.Type {
	case 0:
		return h, false, malformed("packet of the reserved type")
	case PUBLISH:
		if h.QoS() == 3 {
			return h, false, malformed("publish with qos 3") // [MQTT-3.3.1-4]
		}
		if h.QoS() == 0 && h.Dup() {
			return h, false, malformed("publish with qos 0 and the duplicate flag") // [MQTT-3.3.1-2]
		}
		want = h.Flags
	case PUBREL, SUBSCRIBE, UNSUBSCRIBE:
		want = 2
	default: // all others have none
	}
	if h.Flags != want {
		return h, false, malformed("packet of type %d with reserved flags %#x", h.Type, h.Flags)
	}
	for i := 1; ; i++ {
		if i == maxHeader {
			return h, false, malformed("remaining length of more than four bytes")
		}
		if i >= len(b) {
			return h, true, nil
		}
		h.Remaining |= int(b[i]&0x7f) << (7 * (i - 1))
		if b[i]&0x80 == 0 {
			h.Size = i + 1
			return h, false, nil
		}
	}
}
