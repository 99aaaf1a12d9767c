// Package lane is the sync between hub and console as pure state machines:
// Sender and TrafficSender are the hub's end, Receive and Greet are the console's.
// Neither knows a network, a clock or an engine; what they need of a store is
// a small interface, and the transaction behind it is the caller's.
//
// What holds, whatever is lost, repeated, reordered or cut off on the way:
//
//   - a record takes effect on the console at most once, and only after every
//     record before it in its lane has;
//   - a position moves in the transaction that stores what it speaks of;
//   - a device state that changes while it is under way is sent again;
//   - an hour of traffic is held whole in one version, and in the newest one
//     when the link works;
//   - an order is taken by the hub once, in the order of numbers;
//   - a record that cannot be applied is set aside and its lane goes on;
//   - an older copy of either end, and a second hub with one identity, is found at
//     the first contact, and what was lost is given back.
//
// DESIGN.md beside this file says why it is done this way.
package lane

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/obedio/obedio/shared/fleet"
)

// Hash sums up a lane up to one record: the chain's hash.
type Hash [sha256.Size]byte

// Next returns the chain's hash after record.
func (h Hash) Next(record []byte) Hash {
	d := sha256.New()
	d.Write(h[:])
	d.Write(record)
	return Hash(d.Sum(nil))
}

// Position says how far a log lane is held, and what is held. The zero value
// is the beginning.
type Position struct {
	Seq  fleet.Seq
	Hash Hash
}

// Batch is a run of encoded records of one lane, without holes.
type Batch struct {
	Lane fleet.Lane
	// First is the number of Records[0].
	First fleet.Seq
	// Prev is the chain's hash before Records[0].
	Prev    Hash
	Records [][]byte
}

// StateBatch brings a copy of the state map from After to Upto: every device
// whose version is in (After, Upto] is in it, with its newest state.
type StateBatch struct {
	After, Upto uint64
	States      []fleet.DeviceState
	// AsOfMS is when the hub read the states, by its clock.
	AsOfMS int64
}

// What can be wrong between two ends.
var (
	// ErrGap: the batch begins after the wanted position.
	ErrGap = errors.New("gap in lane")
	// ErrDiverged: both ends hold different records under one number.
	ErrDiverged = errors.New("lanes have diverged")
	// ErrBehind: the other end was told of more than this end holds.
	ErrBehind = errors.New("store is older than what the other end was told")
	// ErrTicket: the session was ended; greet again.
	ErrTicket = errors.New("ticket is not valid")
)

// Accept returns what of b is new to a holder that is at p, and the position
// after it. Records that are held already are passed over, if they are the
// same.
func Accept(p Position, b Batch) (fresh [][]byte, next Position, err error) {
	if b.First > p.Seq+1 {
		return nil, p, fmt.Errorf("%w: %s begins at %d, wanted %d", ErrGap, b.Lane, b.First, p.Seq+1)
	}
	held := int(p.Seq + 1 - b.First)
	if held > len(b.Records) {
		return nil, p, nil // nothing new; it ends before p, where no hash is at hand
	}
	h := b.Prev
	for _, r := range b.Records[:held] {
		h = h.Next(r)
	}
	if h != p.Hash {
		return nil, p, fmt.Errorf("%w: %s at %d", ErrDiverged, b.Lane, p.Seq)
	}
	fresh = b.Records[held:]
	for _, r := range fresh {
		h = h.Next(r)
	}
	return fresh, Position{Seq: p.Seq + fleet.Seq(len(fresh)), Hash: h}, nil
}
