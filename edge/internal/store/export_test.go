package store

import "github.com/cockroachdb/pebble/v2"

// SetFormat pretends that another program wrote the store.
func (s *Store) SetFormat(v string) error {
	return s.db.Set(key(tableMeta, "format"), []byte(v), pebble.Sync)
}
