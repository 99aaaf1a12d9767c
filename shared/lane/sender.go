package lane

import (
	"bytes"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Log is what the Sender reads of the hub's store. All methods see committed
// data only.
type Log interface {
	// Head is the position of the newest record of a log lane.
	Head(fleet.Lane) (Position, error)
	// Base is the position before the oldest record that is still there; the zero
	// value when none was dropped.
	Base(fleet.Lane) (Position, error)
	// HashAt is the chain's hash at seq, which is at most the head's and not below
	// the base's; the zero hash at 0.
	HashAt(fleet.Lane, fleet.Seq) (Hash, error)
	// Read returns records from after on, as many as fit in maxBytes and at
	// least one if there is one.
	Read(lane fleet.Lane, after fleet.Seq, maxBytes int) (Batch, error)
	// StateHead is the highest version of any device state.
	StateHead() uint64
	// States returns the states with a version above after, the lowest first,
	// as many as fit in maxBytes and at least one if there is one; Upto is the
	// version up to which the batch is complete.
	States(after uint64, maxBytes int) (StateBatch, error)
}

// Saved is what the hub must remember of a console over a restart.
type Saved struct {
	ConsoleID    string `json:"console_id"`
	ConsoleEpoch string `json:"console_epoch"`
	// Epoch is the hub's that Acked speaks of; empty for the present one.
	Epoch fleet.Epoch `json:"epoch,omitempty"`
	// Recovered is the number of the recovery that was done last.
	Recovered uint64 `json:"recovered,omitempty"`
	// Acked says, per lane, up to which number (for the state lane: version)
	// the console has said that it holds; for lane 4 how often it has acknowledged an hour.
	Acked map[fleet.Lane]uint64 `json:"acked"`
	// Hashes are the chains' hashes there, which the log may have no more.
	Hashes map[fleet.Lane]Hash `json:"hashes,omitempty"`
}

// Hello is what the hub tells of itself at the start of a session.
type Hello struct {
	// Hub is who says it; the console knows it from the certificate.
	Hub   string
	Epoch fleet.Epoch
	// Former is the epoch of which the lanes' Acked speaks, when the hub has begun a
	// new one since.
	Former      fleet.Epoch
	Recovered   uint64
	BootID      string
	Lanes       map[fleet.Lane]HelloLane
	StateHead   uint64
	OrderCursor uint64
}

// HelloLane is what the hub holds of a log lane.
type HelloLane struct {
	Head      fleet.Seq
	Acked     fleet.Seq
	AckedHash Hash
	// Base is the position before the oldest record that the hub can still send.
	Base Position
}

// Verdict is what the console makes of a Hello.
type Verdict uint8

// The verdicts. See hublink.proto.
const (
	VerdictOK Verdict = iota
	VerdictBehind
	VerdictAhead
	VerdictDiverged
	VerdictFenced
	VerdictWait
)

// String returns the verdict's word.
func (v Verdict) String() string {
	words := [...]string{"ok", "behind", "ahead", "diverged", "fenced", "wait"}
	if int(v) < len(words) {
		return words[v]
	}
	return fmt.Sprintf("verdict-%d", uint8(v))
}

// Welcome is the console's answer to a Hello.
type Welcome struct {
	Verdict      Verdict
	Ticket       []byte
	Durable      map[fleet.Lane]Position // log lanes
	State        uint64                  // the state lane's durable version
	Hours        HoursTaken
	ConsoleID    string
	ConsoleEpoch string
	OrderHead    uint64
	// Began: the console has not known the epoch before. It is not sent.
	Began bool
	// Recall: the console holds records of former epochs that the hub may lack.
	Recall bool
	// OrderFloor: orders up to this number are for a life of the hub that is over.
	OrderFloor uint64
	// Restate: records are missing for ever, and the hub is to restate its
	// entities.
	Restate bool
	// Recovery numbers what Recall and Restate ask for; 0 when that is nothing.
	Recovery uint64
	// Policy is the version of the policy that the console holds for the site.
	Policy uint64
	// Columns: the console takes traffic as columns.
	Columns bool
	// Wait is how long to stay away; of VerdictWait.
	Wait time.Duration
}

// HoursTaken is how often a console has acknowledged an hour of traffic of an
// epoch. One of an older version does not tell: it takes none.
type HoursTaken struct {
	Told  bool
	Taken uint64
}

// Push is what goes up in one call.
type Push struct {
	Ticket      []byte
	Batches     []Batch
	State       *StateBatch
	OrderCursor uint64
	Traffic     []TrafficPart
	// Columns: Traffic goes as columns.
	Columns bool
	// LeftOut counts what DecodePush has left out of Traffic.
	LeftOut int
}

// Receipt is the console's answer to a Push.
type Receipt struct {
	Durable  map[fleet.Lane]Position
	State    uint64
	Rejected []Rejected
	Taken    HoursTaken
	// Hours of which a part was in the Push and that need not be sent again.
	Hours []fleet.TrafficRef
}

// Rejected names a record that the console has set aside.
type Rejected struct {
	Lane   fleet.Lane
	Seq    fleet.Seq
	Reason string
}

// Sender is the hub's end. One goroutine owns it. It holds no data, only
// positions: every method reads what it needs from the Log it is given.
type Sender struct {
	epoch  fleet.Epoch
	boot   string
	ticket []byte
	fenced bool
	// columns: the console of the session takes traffic as such.
	columns bool
	saved   Saved
}

// NewSender returns the hub's end for a store of the given epoch. saved is
// what Saved returned before the last stop; its zero value is a hub that has
// not met a console.
func NewSender(epoch fleet.Epoch, boot string, saved Saved) *Sender {
	if saved.Acked == nil {
		saved.Acked = map[fleet.Lane]uint64{}
	}
	if saved.Hashes == nil {
		saved.Hashes = map[fleet.Lane]Hash{}
	}
	return &Sender{epoch: epoch, boot: boot, saved: saved}
}

// Saved is what must be kept, and what the console is known to hold.
func (s *Sender) Saved() Saved { return s.saved }

// Ready reports whether a session is open: Push may be asked for.
func (s *Sender) Ready() bool { return s.ticket != nil }

// Ticket is that of the open session; nil without one.
func (s *Sender) Ticket() []byte { return s.ticket }

// Close ends the session: the next thing to send is a Hello.
func (s *Sender) Close() { s.ticket = nil }

// Fenced reports whether the open session may carry lane 0 only: another hub
// uses this identity.
func (s *Sender) Fenced() bool { return s.fenced }

// Carry is the push of parts of traffic.
func (s *Sender) Carry(parts []TrafficPart, orderCursor uint64) Push {
	return Push{Ticket: s.ticket, OrderCursor: orderCursor, Traffic: parts, Columns: s.columns}
}

// Urgent is Push of lanes 0 and 1 only: for when the rest has to wait.
func (s *Sender) Urgent(log Log, maxBytes int, orderCursor uint64) (Push, bool, error) {
	return s.push(log, maxBytes, false, false, orderCursor)
}

// Epoch is that of the hub's life.
func (s *Sender) Epoch() fleet.Epoch { return s.epoch }

// Hello opens a session.
func (s *Sender) Hello(log Log, orderCursor uint64) (Hello, error) {
	s.ticket = nil
	h := Hello{
		Epoch: s.epoch, BootID: s.boot, Lanes: map[fleet.Lane]HelloLane{},
		StateHead: log.StateHead(), OrderCursor: orderCursor, Recovered: s.saved.Recovered,
	}
	if s.saved.Epoch != s.epoch {
		h.Former = s.saved.Epoch
	}
	for _, l := range fleet.LogLanes() {
		head, err := log.Head(l)
		if err != nil {
			return h, err
		}
		acked := fleet.Seq(s.saved.Acked[l])
		if acked > head.Seq {
			return h, fmt.Errorf("%w: lane %s ends at %d, %d were acknowledged", ErrBehind, l, head.Seq, acked)
		}
		base, err := log.Base(l)
		if err != nil {
			return h, err
		}
		hash, kept := s.saved.Hashes[l]
		if acked < base.Seq && acked > 0 && !kept {
			acked = base.Seq // not told for sure, but the oldest that can be shown
		}
		if acked >= base.Seq {
			if hash, err = log.HashAt(l, acked); err != nil {
				return h, err
			}
		}
		h.Lanes[l] = HelloLane{Head: head.Seq, Acked: acked, AckedHash: hash, Base: base}
	}
	return h, nil
}

// Rewound reports whether w comes from a console that may lack hours of
// traffic that were acknowledged: another one, or one that was restored. They
// must be pending again before OnHello remembers the console.
func (s *Sender) Rewound(w Welcome) bool {
	return w.Hours.Told && (w.ConsoleID != s.saved.ConsoleID || w.ConsoleEpoch != s.saved.ConsoleEpoch ||
		w.Hours.Taken < s.saved.Acked[fleet.LaneSummaries])
}

// OnHello takes the console's answer. Afterwards the session is open, or an
// error says why it is not: ErrBehind and ErrDiverged need a new epoch, other
// errors another try. Saved may have changed: a console that holds less than
// it did (restored from a backup) is sent the rest again.
func (s *Sender) OnHello(log Log, w Welcome) error {
	switch w.Verdict {
	case VerdictOK, VerdictAhead, VerdictFenced:
	case VerdictBehind:
		return fmt.Errorf("%w: the console says so", ErrBehind)
	case VerdictDiverged:
		return fmt.Errorf("%w: the console says so", ErrDiverged)
	case VerdictWait:
		return &WaitError{For: w.Wait}
	}
	for _, l := range fleet.LogLanes() {
		d := w.Durable[l]
		head, err := log.Head(l)
		if err != nil {
			return err
		}
		if d.Seq > head.Seq {
			return fmt.Errorf("%w: lane %s ends at %d, the console holds %d", ErrBehind, l, head.Seq, d.Seq)
		}
		hash, err := log.HashAt(l, d.Seq)
		if err != nil {
			return err
		}
		if hash != d.Hash {
			return fmt.Errorf("%w: lane %s at %d", ErrDiverged, l, d.Seq)
		}
	}
	if w.State > log.StateHead() {
		return fmt.Errorf("%w: states end at %d, the console holds %d", ErrBehind, log.StateHead(), w.State)
	}
	acked, hashes := map[fleet.Lane]uint64{fleet.LaneState: w.State}, map[fleet.Lane]Hash{}
	for _, l := range fleet.LogLanes() {
		acked[l], hashes[l] = uint64(w.Durable[l].Seq), w.Durable[l].Hash
	}
	if w.Hours.Told {
		acked[fleet.LaneSummaries] = w.Hours.Taken
	}
	s.saved = Saved{
		ConsoleID: w.ConsoleID, ConsoleEpoch: w.ConsoleEpoch, Acked: acked, Hashes: hashes, Epoch: s.epoch, Recovered: s.saved.Recovered,
	}
	s.ticket, s.fenced, s.columns = bytes.Clone(w.Ticket), w.Verdict == VerdictFenced, w.Columns
	return nil
}

// Push returns what to send next, at most about maxBytes of it, lane 0 and 1
// before everything else; false when the console holds all. withState says
// whether states may go up now: they are held back to coalesce.
func (s *Sender) Push(log Log, maxBytes int, withState bool, orderCursor uint64) (Push, bool, error) {
	return s.push(log, maxBytes, withState, true, orderCursor)
}

func (s *Sender) push(log Log, maxBytes int, withState, rest bool, orderCursor uint64) (Push, bool, error) {
	p := Push{Ticket: s.ticket, OrderCursor: orderCursor}
	left := maxBytes
	add := func(l fleet.Lane) error {
		if left <= 0 {
			return nil
		}
		after := fleet.Seq(s.saved.Acked[l])
		head, err := log.Head(l)
		if err != nil || head.Seq <= after {
			return err
		}
		b, err := log.Read(l, after, left)
		if err != nil || len(b.Records) == 0 {
			return err
		}
		for _, r := range b.Records {
			left -= len(r)
		}
		p.Batches = append(p.Batches, b)
		return nil
	}
	if err := add(fleet.LaneRequests); err != nil || s.fenced {
		return p, len(p.Batches) > 0, err
	}
	if err := add(fleet.LaneCommands); err != nil {
		return p, false, err
	}
	if after := s.saved.Acked[fleet.LaneState]; withState && left > 0 && log.StateHead() > after {
		b, err := log.States(after, left)
		if err != nil {
			return p, false, err
		}
		p.State = &b
		left -= 64 * len(b.States)
	}
	if rest {
		if err := add(fleet.LaneRegistry); err != nil {
			return p, false, err
		}
	}
	return p, len(p.Batches) > 0 || p.State != nil, nil
}

// OnPush takes the console's answer to the last Push; true when Saved has
// changed. The console's positions count, upwards and, when it asks for a
// number again, downwards; one above what the hub holds ends the session.
func (s *Sender) OnPush(log Log, r Receipt) (bool, error) {
	moved := false
	set := func(l fleet.Lane, to uint64) {
		if s.saved.Acked[l] != to {
			s.saved.Acked[l] = to
			moved = true
		}
	}
	for l, d := range r.Durable {
		head, err := log.Head(l)
		if err != nil {
			return moved, err
		}
		if d.Seq > head.Seq {
			s.ticket = nil
			return moved, fmt.Errorf("%w: lane %s ends at %d, the console says %d", ErrBehind, l, head.Seq, d.Seq)
		}
		hash, err := log.HashAt(l, d.Seq)
		if err != nil {
			return moved, err
		}
		if hash != d.Hash {
			s.ticket = nil
			return moved, fmt.Errorf("%w: lane %s at %d", ErrDiverged, l, d.Seq)
		}
		set(l, uint64(d.Seq))
		s.saved.Hashes[l] = d.Hash
	}
	if r.State > log.StateHead() {
		s.ticket = nil
		return moved, fmt.Errorf("%w: states end at %d, the console says %d", ErrBehind, log.StateHead(), r.State)
	}
	set(fleet.LaneState, r.State)
	if r.Taken.Told {
		set(fleet.LaneSummaries, r.Taken.Taken)
	}
	return moved, nil
}

// Renew begins a new life: what the console is known to hold is from now on said
// of the epoch before. blank says that not even that is common ground.
func (s *Sender) Renew(e fleet.Epoch, blank bool) {
	if s.saved.Epoch == "" {
		s.saved.Epoch = s.epoch
	}
	s.epoch, s.ticket = e, nil
	if blank {
		s.saved = Saved{Acked: map[fleet.Lane]uint64{}, Hashes: map[fleet.Lane]Hash{}}
	}
}

// Wants reports whether a Welcome asks for a recovery that was not done yet.
func (s *Sender) Wants(w Welcome) bool { return w.Recovery != 0 && w.Recovery != s.saved.Recovered }

// Recovered notes that what a Welcome asked for is done. It is told with the
// next Hello.
func (s *Sender) Recovered(recovery uint64) { s.saved.Recovered = recovery }

// WaitError is a console's word that it has no time now.
type WaitError struct{ For time.Duration }

// Error implements error.
func (e *WaitError) Error() string {
	return fmt.Sprintf("the console asks to come again in %s", e.For)
}

// Due returns what of orders the hub has not taken yet, the lowest number
// first, and stops before a hole. The caller moves its cursor in the
// transaction that takes an order.
func Due(cursor uint64, orders []fleet.Order) []fleet.Order {
	var due []fleet.Order
	for _, o := range orders {
		if o.Number == cursor+1 {
			due = append(due, o)
			cursor++
		}
	}
	return due
}
