package store

import (
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// InUse reports whether a program has the store of a data directory open, even
// one that does not answer.
func InUse(dir string) bool {
	path := filepath.Join(dir, Name)
	if _, err := vfs.Default.Stat(path); err != nil {
		return false
	}
	l, err := vfs.Default.Lock(filepath.Join(path, "LOCK"))
	if err != nil {
		return true
	}
	return l.Close() != nil
}
