package fleettest

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// Memory is the reference of what a store must do: a lane.Holder over maps.
// The zero value is not usable; call NewMemory. It has no lock.
type Memory struct {
	entities map[fleet.Ref][]byte
	records  map[fleet.Epoch]map[fleet.Lane]map[fleet.Seq]kept
	states   map[fleet.DeviceID]fleet.DeviceState
	letters  []lane.Rejected
	gaps     []lane.Gap
	epoch    fleet.Epoch
	lives    map[fleet.Epoch]lane.Life
	seen     lane.Seen
	hours    map[time.Time]lane.TrafficPart // whole
	begun    map[time.Time]lane.TrafficPart // rows of the parts so far
}

// kept is a record as it came.
type kept struct {
	hash    lane.Hash
	encoded []byte
}

var _ lane.Holder = (*Memory)(nil)

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{
		entities: map[fleet.Ref][]byte{}, records: map[fleet.Epoch]map[fleet.Lane]map[fleet.Seq]kept{},
		states: map[fleet.DeviceID]fleet.DeviceState{}, lives: map[fleet.Epoch]lane.Life{},
		hours: map[time.Time]lane.TrafficPart{}, begun: map[time.Time]lane.TrafficPart{},
	}
}

// Clone returns a copy that shares nothing that changes: a snapshot.
func (m *Memory) Clone() *Memory {
	c := *m
	c.entities, c.states, c.lives = maps.Clone(m.entities), maps.Clone(m.states), maps.Clone(m.lives)
	c.letters, c.gaps = slices.Clone(m.letters), slices.Clone(m.gaps)
	c.hours, c.begun = maps.Clone(m.hours), maps.Clone(m.begun)
	c.records = map[fleet.Epoch]map[fleet.Lane]map[fleet.Seq]kept{}
	for e, lanes := range m.records {
		c.records[e] = map[fleet.Lane]map[fleet.Seq]kept{}
		for l, r := range lanes {
			c.records[e][l] = maps.Clone(r)
		}
	}
	for e, l := range c.lives {
		c.lives[e] = l.Clone()
	}
	return &c
}

// All yields the entities in the order that fleet.Digest wants.
func (m *Memory) All() iter.Seq2[fleet.Ref, []byte] {
	refs := slices.SortedFunc(maps.Keys(m.entities), func(a, b fleet.Ref) int {
		if c := strings.Compare(string(a.Kind), string(b.Kind)); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return func(yield func(fleet.Ref, []byte) bool) {
		for _, r := range refs {
			if !yield(r, m.entities[r]) {
				return
			}
		}
	}
}

// Digest sums up the entities.
func (m *Memory) Digest() string { return fleet.Digest(m.All()) }

// SyncDigest sums up what both ends hold alike.
func (m *Memory) SyncDigest() string { return fleet.SyncDigest(m.All()) }

// Records are the stored records of a lane of the current epoch, in order.
func (m *Memory) Records(l fleet.Lane) [][]byte {
	var out [][]byte
	_ = m.RecordsOf(m.epoch, l, 0, func(_ fleet.Seq, b []byte) bool { // it reads a map
		out = append(out, b)
		return true
	})
	return out
}

// RecordsOf implements lane.Memories.
func (m *Memory) RecordsOf(e fleet.Epoch, l fleet.Lane, from fleet.Seq, fn func(fleet.Seq, []byte) bool) error {
	for _, n := range slices.Sorted(maps.Keys(m.records[e][l])) {
		if n >= from && !fn(n, m.records[e][l][n].encoded) {
			break
		}
	}
	return nil
}

// Gaps are the numbers that will never be filled.
func (m *Memory) Gaps() []lane.Gap { return m.gaps }

// States are the newest device states.
func (m *Memory) States() map[fleet.DeviceID]fleet.DeviceState { return m.states }

// DeadLetters are the records that could not be applied.
func (m *Memory) DeadLetters() []lane.Rejected { return m.letters }

// Entity implements fleet.View.
func (m *Memory) Entity(r fleet.Ref) ([]byte, error) { return m.entities[r], nil }

// Epoch implements lane.Holder.
func (m *Memory) Epoch() (fleet.Epoch, error) { return m.epoch, nil }

// Life implements lane.Holder.
func (m *Memory) Life(e fleet.Epoch) (lane.Life, bool, error) {
	l, known := m.lives[e]
	return l.Clone(), known, nil
}

// BeginEpoch implements lane.Holder.
func (m *Memory) BeginEpoch(e fleet.Epoch, l lane.Life) error {
	m.epoch = e
	return m.live(func(now *lane.Life) { *now = l.Clone() })
}

// live changes the current life.
func (m *Memory) live(change func(*lane.Life)) error {
	l := m.lives[m.epoch].Clone()
	change(&l)
	m.lives[m.epoch] = l
	return nil
}

// Position implements lane.Holder.
func (m *Memory) Position(l fleet.Lane) (lane.Position, error) { return m.lives[m.epoch].Lanes[l], nil }

// SetPosition implements lane.Holder.
func (m *Memory) SetPosition(l fleet.Lane, p lane.Position) error {
	return m.live(func(now *lane.Life) {
		if now.Lanes == nil {
			now.Lanes = map[fleet.Lane]lane.Position{}
		}
		now.Lanes[l] = p
	})
}

// StateVersion implements lane.Holder.
func (m *Memory) StateVersion() (uint64, error) { return m.lives[m.epoch].State, nil }

// SetStateVersion implements lane.Holder.
func (m *Memory) SetStateVersion(v uint64) error {
	return m.live(func(now *lane.Life) { now.State = v })
}

// PutRecord implements lane.Holder.
func (m *Memory) PutRecord(l fleet.Lane, seq fleet.Seq, sum lane.Hash, b []byte) error {
	if m.records[m.epoch] == nil {
		m.records[m.epoch] = map[fleet.Lane]map[fleet.Seq]kept{}
	}
	if m.records[m.epoch][l] == nil {
		m.records[m.epoch][l] = map[fleet.Seq]kept{}
	}
	m.records[m.epoch][l][seq] = kept{sum, b}
	return nil
}

// HashOf implements lane.Holder.
func (m *Memory) HashOf(e fleet.Epoch, l fleet.Lane, seq fleet.Seq) (lane.Hash, bool, error) {
	r, found := m.records[e][l][seq]
	return r.hash, found, nil
}

// PutGap implements lane.Holder.
func (m *Memory) PutGap(g lane.Gap) error {
	m.gaps = append(m.gaps, g)
	return nil
}

// Seen implements lane.Holder.
func (m *Memory) Seen() (lane.Seen, error) { return m.seen, nil }

// SetSeen implements lane.Holder.
func (m *Memory) SetSeen(s lane.Seen) error {
	m.seen = s
	return nil
}

// PutDeadLetter implements lane.Holder.
func (m *Memory) PutDeadLetter(r lane.Rejected) error {
	m.letters = append(m.letters, r)
	return nil
}

// PutEntity implements lane.Holder.
func (m *Memory) PutEntity(e fleet.Entity) error {
	b, err := fleet.EncodeEntity(e)
	m.entities[e.Ref()] = b
	return err
}

// PutState implements lane.Holder.
func (m *Memory) PutState(s fleet.DeviceState, _ int64) error {
	m.states[s.ID] = s
	return nil
}

// Hours are the hours of traffic that are held whole.
func (m *Memory) Hours() map[time.Time]fleet.TrafficHour {
	out := map[time.Time]fleet.TrafficHour{}
	for at, p := range m.hours {
		out[at] = p.TrafficHour
	}
	return out
}

// TrafficMark implements lane.Holder.
func (m *Memory) TrafficMark() (lane.TrafficMark, error) { return m.lives[m.epoch].Traffic, nil }

// SetTrafficMark implements lane.Holder.
func (m *Memory) SetTrafficMark(v lane.TrafficMark) error {
	return m.live(func(now *lane.Life) { now.Traffic = v })
}

// TrafficHeld implements lane.Holder.
func (m *Memory) TrafficHeld(start time.Time) (uint32, bool, error) {
	h, found := m.hours[start]
	return h.Version, found, nil
}

// PutTraffic implements lane.Holder.
func (m *Memory) PutTraffic(p lane.TrafficPart) (bool, error) {
	if p.Part > 0 {
		b, found := m.begun[p.Start]
		if !found || b.Version != p.Version || b.Parts != p.Parts || b.Part != p.Part-1 {
			return false, nil
		}
		p.Rows = slices.Concat(b.Rows, p.Rows)
	}
	if p.Part < p.Parts-1 {
		m.begun[p.Start] = p
		return false, nil
	}
	delete(m.begun, p.Start)
	m.hours[p.Start] = p
	return true, nil
}
