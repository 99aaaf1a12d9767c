package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Telling is one entry of the log of who was told of a request, or could not
// be. It stays on the hub.
type Telling struct {
	Request fleet.RequestID `json:"request_id"`
	At      time.Time       `json:"at"`
	// Device is the watch; empty for a person that wears none.
	Device fleet.DeviceID `json:"device_id,omitempty"`
	Person string         `json:"person_id,omitempty"`
	Name   string         `json:"name,omitempty"`
	// What is stored, sent, told or unreachable.
	What string `json:"what"`
	// Stage of the request that it was told of.
	Stage fleet.RequestState `json:"stage,omitempty"`
	// Why it could not be told.
	Why string `json:"why,omitempty"`
}

// AddTelling appends entries to the log; n numbers them within one time.
func (t *Tx) AddTelling(v Telling, n uint64) error {
	k := prefix(tableTelling, string(v.Request))
	k = binary.BigEndian.AppendUint64(k, uint64(v.At.UnixMilli()))
	return t.setJSON(binary.BigEndian.AppendUint64(k, n), v)
}

// Tellings are the entries of one request, the oldest first.
func (s *Store) Tellings(id fleet.RequestID) ([]Telling, error) {
	var rows []Telling
	err := s.each(prefix(tableTelling, string(id)), nil, func(k, v []byte) (bool, error) {
		var row Telling
		if err := json.Unmarshal(v, &row); err != nil {
			return false, fmt.Errorf("decode %q: %w", k, err)
		}
		rows = append(rows, row)
		return true, nil
	})
	return rows, err
}

// ForgetTellings removes at most n entries of requests that were opened before
// a time, and says whether there are more.
func (t *Tx) ForgetTellings(before time.Time, n int) (more bool, err error) {
	t.Essential() // it makes room
	end := fleet.UUIDFloor(before)
	enough := errors.New("enough")
	err = t.each([]byte{tableTelling}, nil, func(k, _ []byte) (bool, error) {
		switch {
		case string(k[1:]) >= end:
			return false, nil
		case n == 0:
			return false, enough
		}
		n--
		t.set(append([]byte(nil), k...), nil)
		return true, nil
	})
	if errors.Is(err, enough) {
		return true, nil
	}
	return false, err
}
