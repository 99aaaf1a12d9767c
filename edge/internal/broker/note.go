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
	order   int64 // among the messages of a session; given by the hook
}

// attach puts the note into fields of CONNECT: a PUBLISH does not use them, the
// library copies them and never sends them.
func (n note) attach(pk *packets.Packet) {
	pk.Connect.ClientIdentifier = n.ref
	if n.expires != 0 {
		pk.Connect.Username = binary.BigEndian.AppendUint64(nil, uint64(n.expires))
	}
}

// noteOf reads the note of a packet in the library's session.
func noteOf(pk *packets.Packet) note {
	n := note{ref: pk.Connect.ClientIdentifier, order: pk.Created}
	if len(pk.Connect.Username) == 8 {
		n.expires = int64(binary.BigEndian.Uint64(pk.Connect.Username))
	}
	return n
}
