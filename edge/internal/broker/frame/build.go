package frame

import (
	"encoding/binary"
	"unicode/utf8"
)

// packet returns a packet of the type and flags with the given body.
func packet(t Type, flags byte, body []byte) []byte {
	b := make([]byte, 1, maxHeader+len(body))
	b[0] = byte(t)<<4 | flags
	b = appendVarint(b, len(body))
	return append(b, body...)
}

func appendVarint(b []byte, v int) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// reasonString are properties with a reason string, or none.
func reasonString(text string) []byte {
	if text == "" {
		return []byte{0}
	}
	if len(text) > 120 {
		text = text[:120]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	p := appendString([]byte{propReasonString}, text)
	return append(appendVarint(nil, len(p)), p...)
}

// Refuse builds the CONNACK that refuses a connection. Before MQTT 5 there are
// five codes only, and no text.
func Refuse(version, reason byte, text string) []byte {
	if version == V5 {
		return packet(CONNACK, 0, append([]byte{0, reason}, reasonString(text)...))
	}
	code := byte(5) // not authorised
	switch reason {
	case UnsupportedVersion:
		code = 1
	case ClientIDNotValid:
		code = 2
	case ServerUnavailable, ServerShuttingDown, QuotaExceeded, Implementation:
		code = 3
	}
	return packet(CONNACK, 0, []byte{0, code})
}

// BuildAck builds a PUBACK, PUBREC, PUBREL or PUBCOMP. Reason and text exist in
// MQTT 5 only.
func BuildAck(version byte, t Type, id uint16, reason byte, text string) []byte {
	flags := byte(0)
	if t == PUBREL {
		flags = 2
	}
	var buf [128 + 16]byte
	body := binary.BigEndian.AppendUint16(buf[:0], id)
	if version == V5 && reason != Success {
		body = append(body, reason)
		if text != "" {
			body = append(body, reasonString(text)...)
		}
	}
	return packet(t, flags, body)
}

// AckBytes is the length of what AppendAck appends.
const AckBytes = 4

// AppendAck appends a PUBACK or PUBREC of success, the same in every version.
func AppendAck(b []byte, t Type, id uint16) []byte {
	return append(b, byte(t)<<4, 2, byte(id>>8), byte(id))
}

// BuildDisconnect builds the DISCONNECT of an MQTT 5 server.
func BuildDisconnect(reason byte, text string) []byte {
	return packet(DISCONNECT, 0, append([]byte{reason}, reasonString(text)...))
}

// Pingresp is a PINGRESP packet.
func Pingresp() []byte { return []byte{byte(PINGRESP) << 4, 0} }

// ForLibrary builds the CONNECT that the library behind the gate gets: what
// it needs for the session, under the client id that is settled, without
// credentials, will, topic aliases and Receive Maximum.
func (p Connect) ForLibrary(clientID string) []byte {
	name := "MQTT"
	if p.Version == V31 {
		name = "MQIsdp"
	}
	flags := byte(0)
	if p.Clean {
		flags = 2
	}
	b := append(appendString(nil, name), p.Version, flags)
	b = binary.BigEndian.AppendUint16(b, p.Keepalive)
	if p.Version == V5 {
		var props []byte
		if p.SessionExpiry > 0 {
			props = binary.BigEndian.AppendUint32(append(props, propSessionExpiry), p.SessionExpiry)
		}
		if p.MaxPacketSize > 0 {
			props = binary.BigEndian.AppendUint32(append(props, propMaxPacketSize), p.MaxPacketSize)
		}
		if p.NoProblemInfo {
			props = append(props, propRequestProblem, 0)
		}
		b = append(appendVarint(b, len(props)), props...)
	}
	return packet(CONNECT, 0, appendString(b, clientID))
}

// BuildGoodbye builds the DISCONNECT of a client, for the library.
func BuildGoodbye() []byte { return packet(DISCONNECT, 0, nil) }
