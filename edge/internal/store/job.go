package store

import (
	"bytes"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// JobCommands calls fn with the commands of a job, in the order of their ids
// behind the given one, until fn says false.
func (s *Store) JobCommands(job fleet.JobID, after fleet.CommandID, fn func(fleet.Command) bool) error {
	return jobCommands(s, s.each, job, after, fn)
}

// JobCommands is Store.JobCommands as of the transaction's begin.
func (t *Tx) JobCommands(job fleet.JobID, fn func(fleet.Command) bool) error {
	return jobCommands(t, t.each, job, "", fn)
}

func jobCommands(
	v fleet.View, each func(p, from []byte, fn func(k, v []byte) (bool, error)) error, job fleet.JobID, behind fleet.CommandID, fn func(fleet.Command) bool,
) error {
	var from []byte
	if behind != "" {
		from = append(key(tableJob, string(job), string(behind)), 0)
	}
	return each(prefix(tableJob, string(job)), from, func(k, _ []byte) (bool, error) {
		_, id, _ := bytes.Cut(k[1:], []byte{0})
		c, found, err := fleet.Get[fleet.Command](v, fleet.CommandRef(fleet.CommandID(id)))
		if err != nil || !found {
			return true, err
		}
		return fn(c), nil
	})
}

// Reported is the configuration that a device has said it has.
type Reported struct {
	// Version of the configuration that was wanted.
	Version uint64    `json:"version"`
	At      time.Time `json:"at"`
}

// Reported returns what a device has reported; false when it has said nothing.
func (s *Store) Reported(id fleet.DeviceID) (Reported, bool, error) {
	return getJSON[Reported](s.get, key(tableReported, string(id)))
}

// Reported is Store.Reported inside a transaction.
func (t *Tx) Reported(id fleet.DeviceID) (Reported, bool, error) {
	return getJSON[Reported](t.get, key(tableReported, string(id)))
}

// PutReported stores what a device has reported.
func (t *Tx) PutReported(id fleet.DeviceID, r Reported) error {
	return t.setJSON(key(tableReported, string(id)), r)
}
