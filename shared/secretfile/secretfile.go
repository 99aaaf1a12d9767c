// Package secretfile keeps secrets in files that only the program's user may
// read.
//
// What always holds: a file is there whole or not at all, whenever the power
// is cut; after Write has returned nil it survives that. The functions may be
// called from any goroutine, but not two on the same path at once.
package secretfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrOpen: others than the owner may read the file.
var ErrOpen = errors.New("others may read it: make it mode 0600")

// maxSize of a secret, in bytes.
const maxSize = 64 << 10

// Write stores data at path with mode 0600: a temporary file, synced, renamed,
// and its directory synced.
func Write(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error counts
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Read returns what Write stored; an error that is fs.ErrNotExist when there
// is no file, ErrOpen when others may read it.
func Read(path string) (data []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read %s: %w", path, ErrOpen)
	}
	data, err = io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(data) > maxSize {
		err = fmt.Errorf("read %s: more than %d bytes", path, maxSize)
	}
	return data, err
}
