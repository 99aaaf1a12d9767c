package store

import (
	"fmt"
	"strconv"

	"github.com/cockroachdb/pebble/v2"

	"github.com/obedio/obedio/shared/fleet"
)

// migration turns a store of one format into one of the next: it reads the old
// keys and adds what changes to the batch, which is written with the new format
// in one synced write. A kill in the middle leaves the old format.
type migration func(r pebble.Reader, b *pebble.Batch) error

// migrations lead from format 1 on: the first to 2, and so on. The program
// writes the format that is one more than their number. A new table needs no
// migration, as an older program leaves alone what it does not know.
var migrations []migration

// checkFormat brings an older store to the program's format, and refuses a
// newer one. A store that is only looked at stays as it is.
func (s *Store) checkFormat(readOnly bool, steps []migration) error {
	k, newest := key(tableMeta, "format"), 1+len(steps)
	b, err := get(s.db, k)
	if err != nil {
		return fmt.Errorf("read store format: %w", err)
	}
	if b == nil && readOnly {
		return fmt.Errorf("%w: %s has no format: it is not a hub's store, or was never finished", fleet.ErrNotFound, s.dir)
	}
	if b == nil {
		return s.db.Set(k, []byte(strconv.Itoa(newest)), pebble.Sync)
	}
	have, err := strconv.Atoi(string(b))
	if err != nil || have < 1 {
		return fmt.Errorf("%w: %s has format %q", ErrDamaged, s.dir, b)
	}
	if have > newest {
		return fmt.Errorf("store has format %d, this program knows %d: use the program that wrote it, or a newer one", have, newest)
	}
	if readOnly {
		return nil
	}
	for ; have < newest; have++ {
		if err := s.migrate(steps[have-1], have+1); err != nil {
			return fmt.Errorf("bring store from format %d to %d: %w", have, have+1, err)
		}
	}
	return nil
}

func (s *Store) migrate(step migration, to int) error {
	b := s.db.NewBatch()
	defer func() { _ = b.Close() }()
	if err := step(s.db, b); err != nil {
		return err
	}
	if err := b.Set(key(tableMeta, "format"), []byte(strconv.Itoa(to)), nil); err != nil {
		return err
	}
	return b.Commit(pebble.Sync)
}
