package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

func ballastSize(path string) (uint64, error) {
	i, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for the ballast: %w", err)
	}
	return uint64(i.Size()), nil
}

// makeBallast makes the file at path so large, with its blocks; not at all if
// that fails.
func makeBallast(path string, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("make ballast: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(path) // a part of it would count as the whole
			err = fmt.Errorf("make ballast: %w", err)
		}
	}()
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		err = fill(f, size)
	}
	if err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	return f.Sync()
}

// fill writes what the file system cannot allocate: zeros would do on most, but
// one that compresses would keep none of them.
func fill(f *os.File, size int64) error {
	block := make([]byte, 64<<10)
	x := uint64(0x9e3779b97f4a7c15)
	for i := range block {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		block[i] = byte(x)
	}
	for done := int64(0); done < size; done += int64(len(block)) {
		if _, err := f.WriteAt(block[:min(int64(len(block)), size-done)], done); err != nil {
			return err
		}
	}
	return nil
}

func removeBallast(path string) error {
	// Cut first: a name that cannot be removed has no blocks then.
	if err := os.Truncate(path, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("give up ballast: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("give up ballast: %w", err)
	}
	return nil
}
