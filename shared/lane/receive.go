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
	// first Hello. Former says whether an epoch was the current one before.
	Epoch() (fleet.Epoch, error)
	Former(fleet.Epoch) (bool, error)
	// BeginEpoch makes e the current epoch; all positions are zero then.
	BeginEpoch(e fleet.Epoch) error
	Position(fleet.Lane) (Position, error)
	SetPosition(fleet.Lane, Position) error
	StateVersion() (uint64, error)
	SetStateVersion(uint64) error
	// PutRecord stores a record as it came.
	PutRecord(lane fleet.Lane, seq fleet.Seq, encoded []byte) error
	// PutDeadLetter notes that a record could not be applied, and why.
	PutDeadLetter(Rejected) error
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

// Greet judges a Hello against what h holds, and begins a new epoch when the
// hub has one. It fills in everything of a Welcome but the ticket, the
// console's name and the orders.
func Greet(h Holder, hello Hello) (Welcome, error) {
	current, err := h.Epoch()
	if err != nil {
		return Welcome{}, err
	}
	if current != hello.Epoch {
		former, err := h.Former(hello.Epoch)
		if err != nil {
			return Welcome{}, err
		}
		if former {
			return Welcome{Verdict: VerdictDiverged}, nil // an old life of the hub has come back
		}
		if err := h.BeginEpoch(hello.Epoch); err != nil {
			return Welcome{}, err
		}
	}
	mark, err := h.TrafficMark()
	if err != nil {
		return Welcome{}, err
	}
	mark.Number = 0 // numbers count in a session
	if err := h.SetTrafficMark(mark); err != nil {
		return Welcome{}, err
	}
	w := Welcome{Verdict: VerdictOK, Durable: map[fleet.Lane]Position{}, Hours: HoursTaken{Told: true, Taken: mark.Taken}}
	for _, l := range fleet.LogLanes() {
		p, err := h.Position(l)
		if err != nil {
			return w, err
		}
		w.Durable[l] = p
		told := hello.Lanes[l]
		switch {
		case p.Seq > told.Head:
			return Welcome{Verdict: VerdictBehind}, nil
		case p.Seq == told.Acked && p.Hash != told.AckedHash:
			return Welcome{Verdict: VerdictDiverged}, nil
		case p.Seq < told.Acked:
			w.Verdict = VerdictAhead
		}
	}
	w.State, err = h.StateVersion()
	if err == nil && w.State > hello.StateHead {
		return Welcome{Verdict: VerdictBehind}, nil
	}
	return w, err
}

// Receive stores and folds a Push. The receipt holds every lane's position
// after it; a batch that begins too late changes nothing and is answered by
// that position. An error means that h failed or that the lanes have diverged:
// then nothing may be committed.
func Receive(h Holder, p Push) (Applied, error) {
	var a Applied
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
	for i, encoded := range fresh {
		seq := at.Seq + 1 + fleet.Seq(i)
		if err := h.PutRecord(b.Lane, seq, encoded); err != nil {
			return err
		}
		if err := receiveRecord(h, b.Lane, seq, encoded, a); err != nil {
			return err
		}
	}
	return h.SetPosition(b.Lane, next)
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
