package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Move says where a device was before it was moved: until a time it may use the
// topics of both places.
type Move struct {
	Device fleet.DeviceID `json:"device_id"`
	From   fleet.RoomID   `json:"from"`
	Until  time.Time      `json:"until"`
}

// PutMove stores m in the place of an earlier one.
func (t *Tx) PutMove(m Move) error { return t.setJSON(key(tableMove, string(m.Device)), m) }

// DeleteMove forgets where a device was.
func (t *Tx) DeleteMove(id fleet.DeviceID) { t.set(key(tableMove, string(id)), nil) }

// Moves returns all that PutMove stored.
func (s *Store) Moves() ([]Move, error) { return all[Move](s, tableMove) }

// Window says which signed messages of a device have come: the highest number,
// and, bit by bit, which of the 64 up to it.
type Window struct {
	Device fleet.DeviceID `json:"device_id"`
	Top    uint64         `json:"top"`
	Seen   uint64         `json:"seen"`
}

// PutWindow stores w.
func (t *Tx) PutWindow(w Window) error { return t.setJSON(key(tableWindow, string(w.Device)), w) }

// DeleteWindow forgets which messages of a device have come.
func (t *Tx) DeleteWindow(id fleet.DeviceID) { t.set(key(tableWindow, string(id)), nil) }

// Windows returns all that PutWindow stored.
func (s *Store) Windows() ([]Window, error) { return all[Window](s, tableWindow) }

// all decodes a whole table.
func all[T any](s *Store, table byte) ([]T, error) {
	var rows []T
	err := s.each([]byte{table}, nil, func(k, v []byte) (bool, error) {
		var row T
		if err := json.Unmarshal(v, &row); err != nil {
			return false, fmt.Errorf("decode %q: %w", k, err)
		}
		rows = append(rows, row)
		return true, nil
	})
	return rows, err
}
