package broker

import (
	"cmp"
	"encoding/binary"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/shared/fleet"
)

// note is what the hub has to say about a message, and what must survive the
// library's copies of it on the way to the gate.
type note struct {
	ref string
	// through is the client that carries a message with a ref for the device of its
	// topic; empty for the device itself.
	through string
	expires int64 // Unix nanoseconds; 0: never
	order   int64 // among the messages of a session
}

// attach puts the note into fields of CONNECT: a PUBLISH does not use them, and
// they are never sent.
func (n note) attach(pk *packets.Packet) {
	pk.Connect.ClientIdentifier, pk.Connect.WillTopic = n.ref, n.through
	if n.expires != 0 {
		pk.Connect.Username = binary.BigEndian.AppendUint64(nil, uint64(n.expires))
	}
}

// carries reports whether a client is the one that acknowledges the message.
func (n note) carries(clientID string, device fleet.DeviceID) bool {
	return cmp.Or(n.through, string(device)) == clientID
}

// markSent notes that a message in a session may have reached its client
// before; another field of CONNECT says so.
func markSent(pk *packets.Packet) { pk.Connect.Clean = true }

func wasSent(pk *packets.Packet) bool { return pk.Connect.Clean }

// noteOf reads the note of a packet in the library's session.
func noteOf(pk *packets.Packet) note {
	n := note{ref: pk.Connect.ClientIdentifier, through: pk.Connect.WillTopic, order: pk.Created}
	if len(pk.Connect.Username) == 8 {
		n.expires = int64(binary.BigEndian.Uint64(pk.Connect.Username))
	}
	return n
}
