package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/obedio/obedio/shared/fleet"
)

// Name is the directory of the database in the data directory.
const Name = "hub.db"

// Name returns the store's name among the stores of a data directory.
func (s *Store) Name() string { return Name }

// Checkpoint makes dir a copy of the store as it is at one moment: every update
// that returned before the call is in it, and each update whole or not at all.
// Files that do not change any more are linked, not copied, where dir is on
// the store's own file system. Updates go on meanwhile.
func (s *Store) Checkpoint(dir string) error {
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("copy store to %s: %w", dir, err)
	}
	return nil
}

// Restored says that the store was restored from a backup and that the hub has
// not drawn the consequences yet.
type Restored struct {
	// From is the epoch of the hub that the backup is of.
	From fleet.Epoch `json:"from"`
}

// Restored returns the mark that PutRestored has set; false without one.
func (s *Store) Restored() (Restored, bool, error) {
	return getJSON[Restored](s.get, key(tableMeta, "restored"))
}

// PutRestored marks the store as restored.
func (t *Tx) PutRestored(r Restored) error { return t.setJSON(key(tableMeta, "restored"), r) }

// DeleteRestored takes the mark away.
func (t *Tx) DeleteRestored() { t.set(key(tableMeta, "restored"), nil) }
