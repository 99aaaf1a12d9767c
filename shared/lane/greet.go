package lane

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/obedio/obedio/shared/fleet"
)

// Life is where the lanes of one epoch of a hub stand.
type Life struct {
	Lanes map[fleet.Lane]Position `json:"lanes,omitempty"`
	// State is the version up to which the state lane is held.
	State   uint64      `json:"state,omitempty"`
	Traffic TrafficMark `json:"traffic,omitzero"`
	// Parent is the epoch that this one goes on from, and Base up to which numbers
	// both hold the same records.
	Parent fleet.Epoch              `json:"parent,omitempty"`
	Base   map[fleet.Lane]fleet.Seq `json:"base,omitempty"`
	// Restate: records are missing for ever, and the hub has not told its entities
	// anew since.
	Restate bool `json:"restate,omitempty"`
}

// Seen is what the console knows of who speaks for a site.
type Seen struct {
	Hub string `json:"hub,omitempty"`
	// Boot is the boot id of the last Hello, and Past are those before it, the
	// newest last.
	Boot string   `json:"boot,omitempty"`
	Past []string `json:"past,omitempty"`
	// Returns counts how often one of Past has spoken again: a hub that starts
	// anew never does, two hubs with one identity do all the time.
	Returns int  `json:"returns,omitempty"`
	Fenced  bool `json:"fenced,omitempty"`
	// Rivals are the epochs in which either of two hubs has spoken while they were
	// fenced: the one that stays may lack what the other one told.
	Rivals []fleet.Epoch `json:"rivals,omitempty"`
	// OrderFloor: orders up to this number are for a life that is over.
	OrderFloor uint64 `json:"order_floor,omitempty"`
	// Lost are records of former epochs that the hub may lack.
	Lost []Lost `json:"lost,omitempty"`
	// Recovery names what Lost and Life.Restate ask for: it is another when that becomes
	// more.
	Recovery uint64 `json:"recovery,omitempty"`
	// Until are the heads of the lanes when the hub first said that it had done
	// what Recovery asks for: it is over when they are held.
	Until map[fleet.Lane]fleet.Seq `json:"until,omitempty"`
}

// Lost are the records of an epoch behind what a later one shares with it.
type Lost struct {
	Epoch  fleet.Epoch              `json:"epoch"`
	Behind map[fleet.Lane]fleet.Seq `json:"behind,omitempty"`
}

// Gap are numbers of a lane of which no record will come any more.
type Gap struct {
	Epoch fleet.Epoch `json:"epoch"`
	Lane  fleet.Lane  `json:"lane"`
	From  fleet.Seq   `json:"from"`
	To    fleet.Seq   `json:"to"`
}

const (
	// strayReturns of a boot id can come of one request that was held up on the
	// way: it ends the session of the hub that is there, which then returns too.
	strayReturns = 2
	keptBoots    = 8
	keptLost     = 16
	keptRivals   = 16
)

// rival notes in which epoch one of two hubs speaks.
func (s *Seen) rival(e fleet.Epoch) {
	if e != "" && !slices.Contains(s.Rivals, e) {
		s.Rivals = append(slices.Clone(s.Rivals), e)
		s.Rivals = s.Rivals[max(0, len(s.Rivals)-keptRivals):]
	}
}

// heard notes who has greeted.
func (s Seen) heard(h Hello) Seen {
	if s.Hub != h.Hub {
		// A person has put another hub in its place.
		return Seen{Hub: h.Hub, Boot: h.BootID, OrderFloor: s.OrderFloor, Rivals: s.Rivals, Lost: s.Lost, Recovery: s.Recovery}
	}
	if s.Boot == h.BootID {
		return s
	}
	if i := slices.Index(s.Past, h.BootID); i >= 0 {
		s.Past = slices.Delete(slices.Clone(s.Past), i, i+1)
		s.Returns++
		s.Fenced = s.Fenced || s.Returns > strayReturns
	} else {
		s.Past = slices.Clone(s.Past)
		s.Returns = 0
	}
	if s.Boot != "" {
		s.Past = append(s.Past, s.Boot)
	}
	s.Past = s.Past[max(0, len(s.Past)-keptBoots):]
	s.Boot = h.BootID
	return s
}

// Given says how far the orders for a site have come: the highest number that
// was sent to a hub, and the highest that one has said it holds.
type Given struct {
	Offered, Taken uint64
	// Console is the epoch of the console's store.
	Console string
}

// name is a name for a recovery that no other has had, of this console or of one
// that was restored.
func name(console string, hello Hello, before uint64) uint64 {
	d := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d", console, hello.Epoch, hello.BootID, before))
	return binary.BigEndian.Uint64(d[:]) | 1
}

// recovered takes a hub's word that it has done what was asked for last, once
// the records that it has written on that are held too.
func (s *Seen) recovered(h Holder, hello Hello) error {
	if hello.Recovered != s.Recovery {
		s.Until = nil
		return nil
	}
	if s.Until == nil {
		s.Until = map[fleet.Lane]fleet.Seq{}
		for _, l := range fleet.LogLanes() {
			s.Until[l] = hello.Lanes[l].Head
		}
	}
	for _, l := range fleet.LogLanes() {
		p, err := h.Position(l)
		if err != nil || p.Seq < s.Until[l] {
			return err
		}
	}
	s.Lost, s.Until = nil, nil
	return restate(h, hello.Epoch, false)
}

// restate notes whether the hub is to tell its entities anew.
func restate(h Holder, e fleet.Epoch, on bool) error {
	life, _, err := h.Life(e)
	if err != nil || life.Restate == on {
		return err
	}
	life.Restate = on
	return h.BeginEpoch(e, life)
}

// Greet judges a Hello against what h holds, and begins a new epoch when the
// hub has one. It fills in everything of a Welcome but the ticket, the
// console's name, the orders' head and the policy. Welcome.Began says that the
// hub has begun a new life.
func Greet(h Holder, hello Hello, given Given) (Welcome, error) {
	seen, err := h.Seen()
	if err != nil {
		return Welcome{}, err
	}
	anew := seen.Boot != hello.BootID
	seen = seen.heard(hello)
	current, err := h.Epoch()
	if err != nil {
		return Welcome{}, err
	}
	if current == hello.Epoch {
		if err := seen.recovered(h, hello); err != nil {
			return Welcome{}, err
		}
	}
	lost := len(seen.Lost)
	w, err := greet(h, hello, given, anew, &seen)
	if err != nil {
		return w, err
	}
	switch {
	case w.Durable == nil:
	case seen.Fenced:
		seen.rival(current)
		seen.rival(hello.Epoch)
	case len(seen.Rivals) > 0:
		if err := loseRivals(h, &seen, hello.Epoch); err != nil {
			return w, err
		}
	}
	if len(seen.Lost) > lost || w.Restate {
		seen.Recovery, seen.Until = name(given.Console, hello, seen.Recovery), nil
	}
	if w.Began && !seen.Fenced {
		seen.OrderFloor = max(seen.OrderFloor, given.Offered, given.Taken)
	}
	switch {
	case w.Durable == nil:
	case seen.Fenced:
		w.Verdict = VerdictFenced
	default:
		life, _, err := h.Life(hello.Epoch)
		if err != nil {
			return w, err
		}
		w.Recall, w.Restate, w.OrderFloor = len(seen.Lost) > 0, life.Restate, seen.OrderFloor
		if w.Recall || w.Restate {
			w.Recovery = seen.Recovery
		}
	}
	return w, h.SetSeen(seen)
}

func greet(h Holder, hello Hello, given Given, anew bool, seen *Seen) (Welcome, error) {
	began, refused, err := enter(h, hello, seen)
	if err != nil || refused {
		return Welcome{Verdict: VerdictDiverged}, err
	}
	if !began && max(hello.OrderCursor, seen.OrderFloor) < given.Taken {
		return Welcome{Verdict: VerdictBehind}, nil // it has forgotten orders that it had taken
	}
	mark, err := h.TrafficMark()
	if err != nil {
		return Welcome{}, err
	}
	mark.Number = 0 // numbers count in a session
	if err := h.SetTrafficMark(mark); err != nil {
		return Welcome{}, err
	}
	if anew {
		// The map of states has no chain by which an old copy of it would be known: a
		// hub that has started anew sends all of it.
		if err := h.SetStateVersion(0); err != nil {
			return Welcome{}, err
		}
	}
	w := Welcome{
		Verdict: VerdictOK, Durable: map[fleet.Lane]Position{}, Hours: HoursTaken{Told: true, Taken: mark.Taken}, Began: began,
	}
	for _, l := range fleet.LogLanes() {
		p, err := h.Position(l)
		if err != nil {
			return w, err
		}
		told := hello.Lanes[l]
		switch {
		case p.Seq > told.Head:
			return Welcome{Verdict: VerdictBehind}, nil
		case p.Seq == told.Acked && p.Hash != told.AckedHash:
			return Welcome{Verdict: VerdictDiverged}, nil
		case p.Seq < told.Acked:
			w.Verdict = VerdictAhead
		}
		w.Durable[l] = p
	}
	if w.State, err = h.StateVersion(); err != nil {
		return w, err
	}
	if w.State > hello.StateHead {
		return Welcome{Verdict: VerdictBehind}, nil
	}
	return w, passGaps(h, hello, &w, seen)
}

// passGaps passes over what the hub cannot send any more, and notes it.
func passGaps(h Holder, hello Hello, w *Welcome, seen *Seen) error {
	unsure := map[fleet.Lane]fleet.Seq{}
	some := false
	// Only now, when nothing speaks against the hub: what it cannot send any more
	// is passed over, and told.
	for _, l := range fleet.LogLanes() {
		told, p := hello.Lanes[l], w.Durable[l]
		unsure[l] = p.Seq
		if told.Base.Seq <= p.Seq {
			continue
		}
		switch { // else both know the same hash
		case p.Seq == 0, p.Seq == told.Acked:
		case p.Seq > told.Acked:
			// Neither end can say whether what is held here is what the hub had.
			unsure[l], some = told.Acked, true
		default:
			unsure[l], some = 0, true
		}
		if err := h.PutGap(Gap{Epoch: hello.Epoch, Lane: l, From: p.Seq + 1, To: told.Base.Seq}); err != nil {
			return err
		}
		if err := h.SetPosition(l, told.Base); err != nil {
			return err
		}
		w.Durable[l], w.Restate = told.Base, true
	}
	if w.Restate {
		if err := restate(h, hello.Epoch, true); err != nil {
			return err
		}
	}
	if some {
		seen.Lost = append(slices.Clone(seen.Lost), Lost{Epoch: hello.Epoch, Behind: unsure})
	}
	return nil
}

// enter makes the hub's epoch the current one, if it is not. refused: an epoch
// that is over has come back, as an old copy of the hub's disk does.
func enter(h Holder, hello Hello, seen *Seen) (began, refused bool, err error) {
	current, err := h.Epoch()
	if err != nil || current == hello.Epoch {
		return false, false, err
	}
	life, known, err := h.Life(hello.Epoch)
	switch {
	case err != nil:
		return false, false, err
	case known && !seen.Fenced:
		return false, true, nil
	case known:
		return false, false, h.BeginEpoch(hello.Epoch, life) // the other one of two
	}
	if life, err = goOn(h, hello); err != nil {
		return false, false, err
	}
	if current != "" && !seen.Fenced {
		if err := lose(h, seen, current, life); err != nil {
			return false, false, err
		}
	}
	if life.Restate {
		seen.Recovery, seen.Until = name("", hello, seen.Recovery), nil
	}
	return current != "", false, h.BeginEpoch(hello.Epoch, life)
}

// goOn is where the lanes of a new epoch begin: where the hub and the console
// are known to hold the same records of the epoch before.
func goOn(h Holder, hello Hello) (Life, error) {
	life := Life{Lanes: map[fleet.Lane]Position{}, Base: map[fleet.Lane]fleet.Seq{}}
	if hello.Former == "" {
		return life, nil
	}
	before, known, err := h.Life(hello.Former)
	if err != nil || !known {
		return life, err
	}
	life.Parent, life.Restate = hello.Former, before.Restate
	for _, l := range fleet.LogLanes() {
		p, told := before.Lanes[l], hello.Lanes[l]
		if p.Seq > told.Acked {
			if told.Acked == 0 {
				continue
			}
			sum, found, err := h.HashOf(hello.Former, l, told.Acked)
			if err != nil {
				return life, err
			}
			if !found || sum != told.AckedHash {
				continue
			}
			p = Position{Seq: told.Acked, Hash: told.AckedHash}
		}
		life.Lanes[l], life.Base[l] = p, p.Seq
	}
	return life, nil
}

// lose notes what the life that begins may lack: the records of the epoch that
// was current and of those that it went on from, behind what they share.
func lose(h Holder, seen *Seen, current fleet.Epoch, life Life) error {
	walked := map[fleet.Epoch]bool{}
	add := func(e fleet.Epoch) (parent fleet.Epoch, err error) {
		old, known, err := h.Life(e)
		if err != nil || !known {
			return "", err
		}
		walked[e] = true
		lost := Lost{Epoch: e, Behind: map[fleet.Lane]fleet.Seq{}}
		some := false
		for _, l := range fleet.LogLanes() {
			lost.Behind[l] = old.Base[l]
			if e == life.Parent {
				lost.Behind[l] = life.Base[l]
			}
			some = some || old.Lanes[l].Seq > lost.Behind[l]
		}
		if some {
			seen.Lost = append(slices.Clone(seen.Lost), lost)
		}
		return old.Parent, nil
	}
	for e := current; e != ""; {
		parent, err := add(e)
		if err != nil {
			return err
		}
		if e == life.Parent || walked[parent] {
			break // what was lost before that life has been told, or taken back
		}
		e = parent
	}
	if life.Parent != "" && !walked[life.Parent] {
		if _, err := add(life.Parent); err != nil {
			return err
		}
	}
	seen.Lost = seen.Lost[max(0, len(seen.Lost)-keptLost):]
	return nil
}

// loseRivals notes what the one of two hubs that stays may lack, when a person
// has said which one that is.
func loseRivals(h Holder, seen *Seen, current fleet.Epoch) error {
	life, _, err := h.Life(current)
	if err != nil {
		return err
	}
	for _, e := range seen.Rivals {
		old, known, err := h.Life(e)
		if err != nil {
			return err
		}
		noted := slices.ContainsFunc(seen.Lost, func(l Lost) bool { return l.Epoch == e })
		if e == current || !known || noted {
			continue
		}
		lost := Lost{Epoch: e, Behind: maps.Clone(old.Base)}
		if e == life.Parent {
			lost.Behind = maps.Clone(life.Base)
		}
		seen.Lost = append(slices.Clone(seen.Lost), lost)
	}
	seen.Lost = seen.Lost[max(0, len(seen.Lost)-keptLost):]
	seen.Rivals = nil
	return nil
}

// Clone returns a copy that shares nothing that changes.
func (l Life) Clone() Life {
	l.Lanes, l.Base = maps.Clone(l.Lanes), maps.Clone(l.Base)
	return l
}

// urgent is what is taken of a push from one of two hubs with one identity: what
// may save somebody.
func (p Push) urgent() Push {
	p.Batches = slices.DeleteFunc(slices.Clone(p.Batches), func(b Batch) bool { return b.Lane != fleet.LaneRequests })
	p.State, p.Traffic = nil, nil
	return p
}
