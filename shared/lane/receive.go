package lane

import (
	"errors"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/wire"
)

// Holder is one site's part of the console's store, inside a transaction: all
// that is set through it is committed together, or not at all.
type Holder interface {
	fleet.View
	// Epoch is the hub's epoch that the positions speak of; empty before the
	// first Hello.
	Epoch() (fleet.Epoch, error)
	// Life is where the lanes of an epoch stand, the current one or one before;
	// false for one that was never heard of.
	Life(fleet.Epoch) (Life, bool, error)
	// BeginEpoch makes e the current epoch, if it is not, with its lanes as in l. The
	// one before is kept as it stands.
	BeginEpoch(e fleet.Epoch, l Life) error
	// Position and those below speak of the current epoch.
	Position(fleet.Lane) (Position, error)
	SetPosition(fleet.Lane, Position) error
	StateVersion() (uint64, error)
	SetStateVersion(uint64) error
	// PutRecord stores a record as it came, with the chain's hash after it.
	PutRecord(lane fleet.Lane, seq fleet.Seq, hash Hash, encoded []byte) error
	// HashOf is the chain's hash after a record of any epoch; false when that
	// record is not held.
	HashOf(e fleet.Epoch, lane fleet.Lane, seq fleet.Seq) (Hash, bool, error)
	// PutDeadLetter notes that a record could not be applied, and why.
	PutDeadLetter(Rejected) error
	// PutGap notes that records are missing for ever.
	PutGap(Gap) error
	// Seen is what is known of who speaks for the site; its zero value at first.
	Seen() (Seen, error)
	SetSeen(Seen) error
	PutEntity(fleet.Entity) error
	// PutState stores the newest state of a device.
	PutState(s fleet.DeviceState, asOfMS int64) error
	// TrafficMark says how far lane 4 is in the current epoch.
	TrafficMark() (TrafficMark, error)
	SetTrafficMark(TrafficMark) error
	// TrafficHeld is the version of an hour that is held whole; false for none.
	TrafficHeld(start time.Time) (uint32, bool, error)
	// PutTraffic stores a part of an hour beside what is held of it. Part 0 drops
	// what was begun of that hour; another one counts only if it follows the one
	// before, of the same version in as many parts. With the last one the hour
	// is whole: it replaces the one that was held, of whatever epoch.
	PutTraffic(p TrafficPart) (whole bool, err error)
}

// Applied is what a Push changed.
type Applied struct {
	Receipt Receipt
	// Records are those that took effect, in the order of their lanes.
	Records []fleet.Placed
	// Changes are those of the entities, in the order of the records.
	Changes []fleet.Change
	// States are the rows that changed.
	States []fleet.DeviceState
	// Hours are those of traffic that are held whole now.
	Hours []fleet.TrafficRef
}

// Receive stores and folds a Push. The receipt holds every lane's position
// after it; a batch that begins too late changes nothing and is answered by
// that position. An error means that h failed or that the lanes have diverged:
// then nothing may be committed.
func Receive(h Holder, p Push) (Applied, error) {
	var a Applied
	seen, err := h.Seen()
	if err != nil {
		return a, err
	}
	if seen.Fenced {
		p = p.urgent()
	}
	for _, b := range p.Batches {
		if err := receiveBatch(h, b, &a); err != nil && !errors.Is(err, ErrGap) {
			return Applied{}, err
		}
	}
	if p.State != nil {
		if err := receiveState(h, *p.State, &a); err != nil {
			return Applied{}, err
		}
	}
	if err := receiveTraffic(h, p.Traffic, &a); err != nil {
		return Applied{}, err
	}
	mark, err := h.TrafficMark()
	if err != nil {
		return Applied{}, err
	}
	a.Receipt.Taken = HoursTaken{Told: true, Taken: mark.Taken}
	a.Receipt.Durable = map[fleet.Lane]Position{}
	for _, l := range fleet.LogLanes() {
		pos, err := h.Position(l)
		if err != nil {
			return Applied{}, err
		}
		a.Receipt.Durable[l] = pos
	}
	v, err := h.StateVersion()
	a.Receipt.State = v
	return a, err
}

func receiveBatch(h Holder, b Batch, a *Applied) error {
	if !isLogLane(b.Lane) {
		return nil // a lane of a newer hub: not held here, and so not acknowledged
	}
	at, err := h.Position(b.Lane)
	if err != nil {
		return err
	}
	fresh, next, err := Accept(at, b)
	if err != nil {
		return err
	}
	if len(fresh) == 0 {
		return nil
	}
	current, err := h.Epoch()
	if err != nil {
		return err
	}
	life, _, err := h.Life(current)
	if err != nil {
		return err
	}
	sum := at.Hash
	for i, encoded := range fresh {
		seq := at.Seq + 1 + fleet.Seq(i)
		sum = sum.Next(encoded)
		if err := h.PutRecord(b.Lane, seq, sum, encoded); err != nil {
			return err
		}
		// The same record came in the epoch before: it has had its effect.
		if twice, err := held(h, life.Parent, b.Lane, seq, sum); err != nil || twice {
			if err != nil {
				return err
			}
			continue
		}
		if err := receiveRecord(h, b.Lane, seq, encoded, a); err != nil {
			return err
		}
	}
	return h.SetPosition(b.Lane, next)
}

// held reports whether a record with that hash is held in an epoch.
func held(h Holder, e fleet.Epoch, l fleet.Lane, seq fleet.Seq, sum Hash) (bool, error) {
	if e == "" {
		return false, nil
	}
	got, found, err := h.HashOf(e, l, seq)
	return found && got == sum, err
}

func receiveRecord(h Holder, l fleet.Lane, seq fleet.Seq, encoded []byte, a *Applied) error {
	r, err := wire.DecodeRecord(l, encoded)
	var changes []fleet.Change
	if err == nil {
		changes, err = fleet.Apply(h, r)
	}
	switch {
	case errors.Is(err, fleet.ErrInvalid), errors.Is(err, fleet.ErrState):
		letter := Rejected{Lane: l, Seq: seq, Reason: err.Error()}
		a.Receipt.Rejected = append(a.Receipt.Rejected, letter)
		return h.PutDeadLetter(letter)
	case err != nil:
		return fmt.Errorf("apply record %d of lane %s: %w", seq, l, err)
	}
	for _, c := range changes {
		if err := h.PutEntity(c.After); err != nil {
			return err
		}
	}
	a.Records = append(a.Records, fleet.Placed{Lane: l, Seq: seq, Record: r})
	a.Changes = append(a.Changes, changes...)
	return nil
}

func receiveState(h Holder, b StateBatch, a *Applied) error {
	at, err := h.StateVersion()
	if err != nil {
		return err
	}
	if b.After > at || b.Upto <= at {
		return nil // a gap, or nothing new: the receipt says where we are
	}
	for _, s := range b.States {
		if s.Version <= at {
			continue
		}
		if err := h.PutState(s, b.AsOfMS); err != nil {
			return err
		}
		a.States = append(a.States, s)
	}
	return h.SetStateVersion(b.Upto)
}

func isLogLane(l fleet.Lane) bool {
	for _, v := range fleet.LogLanes() {
		if v == l {
			return true
		}
	}
	return false
}
