package store

import (
	"context"
	"time"
)

// Done is what a piece of work with an idempotency key came to. It is written
// in the transaction that did the work, so that whoever asks again after a
// crash is told the same.
type Done struct {
	// Fingerprint tells the request from another one with the same key.
	Fingerprint []byte `json:"fingerprint"`
	// Result is the id of what was made.
	Result string    `json:"result"`
	At     time.Time `json:"at"`
}

// Done returns what a subject's key stands for; false when it is new.
func (t *Tx) Done(subject, k string) (Done, bool, error) {
	return getJSON[Done](t.get, key(tableIdempotency, subject, k))
}

// SetDone writes what a subject's key stands for.
func (t *Tx) SetDone(subject, k string, d Done) error {
	return t.setJSON(key(tableIdempotency, subject, k), d)
}

// ForgetDone removes the keys of work that was done before a time.
func (s *Store) ForgetDone(ctx context.Context, before time.Time) error {
	return s.Update(ctx, func(tx *Tx) error {
		tx.Essential() // it makes room, and the hub does not start without it
		return tx.each([]byte{tableIdempotency}, nil, func(k, _ []byte) (bool, error) {
			k = append([]byte(nil), k...)
			if d, found, err := getJSON[Done](tx.get, k); err == nil && found && !d.At.Before(before) {
				return true, nil
			}
			tx.set(k, nil) // old, or of a form that nobody reads any more
			return true, nil
		})
	})
}
