package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// engineFormat is the engine's own format. From this one on its log says up to
// where it was synced, so that a tail that a power cut tore off can be told from
// damage, and a table's footer has a checksum.
const engineFormat = pebble.FormatTableFormatV6

// caught makes a panic of the engine ErrDamaged: in a table of an older format
// it trusts a footer that has no checksum.
func caught(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("%w: a table cannot be read: %v: restore a backup", ErrDamaged, v)
	}
}

// ErrDamaged: a file of the store is missing, or not as it was written. The
// message names it.
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
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("open store %s: %w: %s%w: it is missing, or MANIFEST was cut off: restore a backup", dir, ErrDamaged, fileIn(o.FS, dir, err), err)
	case pebble.IsCorruptionError(err), errors.Is(err, pebble.ErrDBDoesNotExist):
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

// damage is what was found damaged while the store was open.
type damage struct {
	mu  sync.Mutex // guards err
	err error
}

// Damage is the first damaged file that a read has met since the store was
// opened, or nil. Whoever read there got an error; all else goes on, as calls
// are to be answered on a disk with a bad spot too.
func (s *Store) Damage() error {
	s.damage.mu.Lock()
	defer s.damage.mu.Unlock()
	return s.damage.err
}

func (s *Store) damaged(i pebble.DataCorruptionInfo) { s.note(i.Path, i.Details) }

func (s *Store) note(file string, err error) {
	s.damage.mu.Lock()
	defer s.damage.mu.Unlock()
	if s.damage.err == nil {
		s.damage.err = fmt.Errorf("%w: %s: %w: restore a backup", ErrDamaged, file, err)
		s.log.Error("store is damaged: restore a backup", "file", file, "error", err)
	}
}

// backgroundError takes what went wrong in the engine's own work, which is over
// with it: a compaction that cannot read its input tries for ever, and writes
// wait for it. The hub starts again, and says each time which file it is.
func (s *Store) backgroundError(err error) {
	if pebble.IsCorruptionError(err) {
		s.note(s.dir, err)
		err = fmt.Errorf("%w: %w: restore a backup", ErrDamaged, err)
	}
	s.fail(err)
}
