package store

import "github.com/cockroachdb/pebble/v2"

// SetFormat pretends that another program wrote the store.
func (s *Store) SetFormat(v string) error {
	return s.db.Set(key(tableMeta, "format"), []byte(v), pebble.Sync)
}

// NoSync makes the store acknowledge what is not on disk: the control of tests
// that look for a loss. Call it before the first update.
func (s *Store) NoSync() { s.sync = pebble.NoSync }

// Put writes any key, for what only a fault or another program would write.
func (s *Store) Put(k, v string) error { return s.db.Set([]byte(k), []byte(v), pebble.Sync) }

// Get reads any key.
func (s *Store) Get(k string) (string, error) {
	b, err := s.get([]byte(k))
	return string(b), err
}

// Delete removes any key.
func (s *Store) Delete(k string) error { return s.db.Delete([]byte(k), pebble.Sync) }

// Migrate checks the format as a program does whose migrations set these keys,
// one each.
func (s *Store) Migrate(readOnly bool, keys ...string) error {
	steps := make([]migration, len(keys))
	for i, k := range keys {
		steps[i] = func(_ pebble.Reader, b *pebble.Batch) error { return b.Set([]byte(k), []byte("migrated"), nil) }
	}
	return s.checkFormat(readOnly, steps)
}
