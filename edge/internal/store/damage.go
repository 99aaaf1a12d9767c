package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// engineFormat is the engine's own format. From this one on its log tells a
// tail that a power cut tore off, which was never acknowledged, from a record
// that was damaged later: the first is cut off, the second is an error.
const engineFormat = pebble.FormatWALSyncChunks

// ErrDamaged: a file of the store is missing, or not as it was written. The
// message names it. The store is not used any more: what it still says could
// be wrong.
var ErrDamaged = errors.New("store is damaged")

// openEngine opens the engine; what it cannot read is ErrDamaged with the
// file's name, whatever way the engine says so.
func openEngine(dir string, o *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if v := recover(); v != nil {
			// The engine trusts some of what it reads, and gives up on what it finds.
			db, err = nil, fmt.Errorf("open store %s: %w: %v: restore a backup", dir, ErrDamaged, v)
		}
	}()
	db, err = pebble.Open(dir, o)
	switch {
	case err == nil:
		return db, nil
	case vfs.IsNoSpaceError(err):
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	case pebble.IsCorruptionError(err), errors.Is(err, fs.ErrNotExist), errors.Is(err, pebble.ErrDBDoesNotExist):
		return nil, fmt.Errorf("open store %s: %w: %s%w: restore a backup", dir, ErrDamaged, fileIn(o.FS, dir, err), err)
	}
	return nil, fmt.Errorf("open store %s: %w", dir, err)
}

var numbered = regexp.MustCompile(`\b(\d{6})\b`)

// fileIn names the file that the engine's message has only the number of.
func fileIn(fs vfs.FS, dir string, err error) string {
	m := numbered.FindStringSubmatch(err.Error())
	if m == nil {
		return ""
	}
	for _, pattern := range []string{m[1] + ".log", m[1] + ".sst", "MANIFEST-" + m[1]} {
		if _, err := fs.Stat(fs.PathJoin(dir, pattern)); err == nil {
			return filepath.Base(pattern) + ": "
		}
	}
	return m[1] + ": "
}

// damaged ends the use of the store when the engine finds a damaged file while
// it runs: what is read later could be wrong.
func (s *Store) damaged(i pebble.DataCorruptionInfo) {
	s.fail(fmt.Errorf("%w: %s: %w: restore a backup", ErrDamaged, i.Path, i.Details))
}
