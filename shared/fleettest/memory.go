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
	entities  map[fleet.Ref][]byte
	records   map[fleet.Lane][][]byte
	positions map[fleet.Lane]lane.Position
	states    map[fleet.DeviceID]fleet.DeviceState
	stateAt   uint64
	letters   []lane.Rejected
	epoch     fleet.Epoch
	former    map[fleet.Epoch]bool
	mark      lane.TrafficMark
	hours     map[time.Time]lane.TrafficPart // whole
	begun     map[time.Time]lane.TrafficPart // rows of the parts so far
}

var _ lane.Holder = (*Memory)(nil)

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{
		entities: map[fleet.Ref][]byte{}, records: map[fleet.Lane][][]byte{},
		positions: map[fleet.Lane]lane.Position{}, states: map[fleet.DeviceID]fleet.DeviceState{},
		former: map[fleet.Epoch]bool{}, hours: map[time.Time]lane.TrafficPart{}, begun: map[time.Time]lane.TrafficPart{},
	}
}

// Clone returns a copy that shares nothing that changes: a snapshot.
func (m *Memory) Clone() *Memory {
	c := *m
	c.entities, c.positions, c.states = maps.Clone(m.entities), maps.Clone(m.positions), maps.Clone(m.states)
	c.records, c.former, c.letters = maps.Clone(m.records), maps.Clone(m.former), slices.Clone(m.letters)
	c.hours, c.begun = maps.Clone(m.hours), maps.Clone(m.begun)
	for l, r := range c.records {
		c.records[l] = slices.Clip(r)
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

// Records are the stored records of a lane, in order.
func (m *Memory) Records(l fleet.Lane) [][]byte { return m.records[l] }

// States are the newest device states.
func (m *Memory) States() map[fleet.DeviceID]fleet.DeviceState { return m.states }

// DeadLetters are the records that could not be applied.
func (m *Memory) DeadLetters() []lane.Rejected { return m.letters }

// Entity implements fleet.View.
func (m *Memory) Entity(r fleet.Ref) ([]byte, error) { return m.entities[r], nil }

// Epoch implements lane.Holder.
func (m *Memory) Epoch() (fleet.Epoch, error) { return m.epoch, nil }

// Former implements lane.Holder.
func (m *Memory) Former(e fleet.Epoch) (bool, error) { return m.former[e], nil }

// BeginEpoch implements lane.Holder.
func (m *Memory) BeginEpoch(e fleet.Epoch) error {
	if m.epoch != "" {
		m.former[m.epoch] = true
	}
	m.epoch, m.positions, m.stateAt, m.mark = e, map[fleet.Lane]lane.Position{}, 0, lane.TrafficMark{}
	return nil
}

// Position implements lane.Holder.
func (m *Memory) Position(l fleet.Lane) (lane.Position, error) { return m.positions[l], nil }

// SetPosition implements lane.Holder.
func (m *Memory) SetPosition(l fleet.Lane, p lane.Position) error {
	m.positions[l] = p
	return nil
}

// StateVersion implements lane.Holder.
func (m *Memory) StateVersion() (uint64, error) { return m.stateAt, nil }

// SetStateVersion implements lane.Holder.
func (m *Memory) SetStateVersion(v uint64) error {
	m.stateAt = v
	return nil
}

// PutRecord implements lane.Holder.
func (m *Memory) PutRecord(l fleet.Lane, seq fleet.Seq, b []byte) error {
	m.records[l] = append(m.records[l], b)
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
func (m *Memory) TrafficMark() (lane.TrafficMark, error) { return m.mark, nil }

// SetTrafficMark implements lane.Holder.
func (m *Memory) SetTrafficMark(v lane.TrafficMark) error {
	m.mark = v
	return nil
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
