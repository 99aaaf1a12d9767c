package badger

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/obedio/obedio/shared/secretfile"
)

// ErrKey: the key of the store is missing or broken. A new one would not open
// the store, so none is made.
var ErrKey = errors.New("the store's key is not usable")

const keyBytes = 32

// storeKey reads the key under which the store is encrypted, and makes one for
// a store that is not there yet.
func storeKey(dir, db string) ([]byte, error) {
	path := filepath.Join(dir, "store.key")
	text, err := secretfile.Read(path)
	if err == nil {
		key, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil || len(key) != keyBytes {
			return nil, fmt.Errorf("%w: %s does not hold %d bytes in hexadecimal", ErrKey, path, keyBytes)
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if _, err := os.Stat(db); err == nil {
		return nil, fmt.Errorf("%w: %s is missing, and %s cannot be read without it: put the key back", ErrKey, path, db)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	key := make([]byte, keyBytes)
	rand.Read(key) // never fails (crypto/rand)
	if err := secretfile.Write(path, []byte(hex.EncodeToString(key)+"\n")); err != nil {
		return nil, fmt.Errorf("make the store's key: %w", err)
	}
	return key, nil
}
