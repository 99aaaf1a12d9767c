package store

import (
	"bytes"
	"context"
	"strings"
)

// Sessions is the part of the store in which the broker keeps what its clients
// have left with it. Its keys are described in package broker, keep.go.
type Sessions struct{ s *Store }

// Sessions returns the broker's part of the store.
func (s *Store) Sessions() Sessions { return Sessions{s} }

// Load calls fn with everything in it. value is valid during the call.
func (v Sessions) Load(fn func(key string, value []byte) error) error {
	return v.s.each([]byte{tableSession}, nil, func(k, value []byte) (bool, error) {
		return true, fn(string(k[1:]), value)
	})
}

// Write runs fn, which sets values (nil removes one) and removes all keys with
// a prefix, and commits what it did.
func (v Sessions) Write(ctx context.Context, fn func(set func(key string, value []byte), clear func(prefix string))) error {
	return v.s.Update(ctx, func(tx *Tx) (err error) {
		fn(func(k string, value []byte) { tx.set(sessionKey(k), value) }, func(prefix string) {
			if err == nil {
				err = tx.clear(sessionKey(prefix))
			}
		})
		return err
	})
}

func sessionKey(k string) []byte { return append([]byte{tableSession}, k...) }

// clear removes every key that begins with p.
func (t *Tx) clear(p []byte) error {
	for k := range t.writes {
		if strings.HasPrefix(k, string(p)) {
			t.writes[k] = nil
		}
	}
	return t.each(p, nil, func(k, _ []byte) (bool, error) {
		t.set(bytes.Clone(k), nil)
		return true, nil
	})
}
