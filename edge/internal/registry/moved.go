package registry

import (
	"context"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// moved knows where devices were before they were moved, as long as they may
// still use the topics of that place.
type moved struct {
	grace time.Duration

	mu *sync.RWMutex // guards by
	by map[fleet.DeviceID]store.Move
}

func newMoved(s *store.Store, grace time.Duration) (moved, error) {
	m := moved{grace: grace, mu: new(sync.RWMutex), by: map[fleet.DeviceID]store.Move{}}
	all, err := s.Moves()
	for _, v := range all {
		m.by[v.Device] = v
	}
	return m, err
}

// put notes where a device is moved from, in the decision that moves it.
func (m *moved) put(tx *journal.Tx, from fleet.Device) error {
	v := store.Move{Device: from.ID, From: from.Room, Until: tx.Now().Add(m.grace)}
	tx.Then(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.by[v.Device] = v
	})
	return tx.PutMove(v)
}

func (m *moved) end(tx *journal.Tx, id fleet.DeviceID) {
	tx.DeleteMove(id)
	tx.Then(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.by, id)
	})
}

// Moved returns the device as it was in the place that it was moved from; false
// for one that may use the topics of no other place than its own.
func (r *Registry) Moved(d fleet.Device) (fleet.Device, bool) {
	r.moved.mu.RLock()
	defer r.moved.mu.RUnlock()
	v, ok := r.moved.by[d.ID]
	if !ok || v.From == d.Room {
		return d, false
	}
	d.Room = v.From
	return d, true
}

// EndMoves ends the grace of moves whose time is over, and names the devices.
func (r *Registry) EndMoves(ctx context.Context, now time.Time) ([]fleet.DeviceID, error) {
	r.moved.mu.RLock()
	var over []fleet.DeviceID
	for id, v := range r.moved.by {
		if !now.Before(v.Until) {
			over = append(over, id)
		}
	}
	r.moved.mu.RUnlock()
	if len(over) == 0 {
		return nil, nil
	}
	return over, r.journal.Do(ctx, func(tx *journal.Tx) error {
		for _, id := range over {
			r.moved.end(tx, id)
		}
		return nil
	})
}
