package broker

import (
	"encoding/binary"

	"github.com/mochi-mqtt/server/v2/packets"
)

// note is what the hub has to say about a message, and what must survive the
// library's copies of it on the way to the gate.
type note struct {
	ref     string
	expires int64 // Unix nanoseconds; 0: never
	order   int64 // among the messages of a session
}

// attach puts the note into fields of CONNECT: a PUBLISH does not use them, and
// they are never sent.
func (n note) attach(pk *packets.Packet) {
	pk.Connect.ClientIdentifier = n.ref
	if n.expires != 0 {
		pk.Connect.Username = binary.BigEndian.AppendUint64(nil, uint64(n.expires))
	}
}

// markSent notes that a message in a session may have reached its client
// before; another field of CONNECT says so.
func markSent(pk *packets.Packet) { pk.Connect.Clean = true }

func wasSent(pk *packets.Packet) bool { return pk.Connect.Clean }

// noteOf reads the note of a packet in the library's session.
func noteOf(pk *packets.Packet) note {
	n := note{ref: pk.Connect.ClientIdentifier, order: pk.Created}
	if len(pk.Connect.Username) == 8 {
		n.expires = int64(binary.BigEndian.Uint64(pk.Connect.Username))
	}
	return n
}
