package program

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Ready is the content of a ready file.
type Ready struct {
	PID     int    `json:"pid"`
	Version string `json:"version"`
	// Listeners are the addresses that take work, by name.
	Listeners map[string]string `json:"listeners"`
}

// WriteReady says in the file at path that every listener takes work. The file
// appears whole or not at all. Call remove when the program ends; it leaves a
// file alone that another process has written since. An empty path does
// nothing.
func WriteReady(path string, listeners map[string]string) (remove func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	r := Ready{PID: os.Getpid(), Version: Version(), Listeners: listeners}
	if r.Listeners == nil {
		r.Listeners = map[string]string{}
	}
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write ready file %s: %w", path, err)
	}
	if err := replaceFile(path, append(data, '\n')); err != nil {
		return nil, fmt.Errorf("write ready file %s: %w", path, err)
	}
	return func() error { return removeReady(path, r.PID) }, nil
}

func removeReady(path string, pid int) error {
	var now Ready
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && json.Unmarshal(data, &now) == nil && now.PID != pid {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove ready file: %w", err)
	}
	return nil
}

// replaceFile writes data to a temporary file beside path and renames it.
func replaceFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error counts
		}
	}()
	if _, err = f.Write(data); err == nil {
		err = f.Chmod(0o644)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
