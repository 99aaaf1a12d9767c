package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/obedio/obedio/shared/fleet"
)

// maxManifest is the most that is read of a manifest, in bytes.
const maxManifest = 16 << 20

// ErrKey: the backup is encrypted, and none of the keys opens it.
var ErrKey = errors.New("the key does not open the backup")

// extract reads a backup into dir, which is empty, and checks it against its
// manifest. fleet.ErrInvalid when it is not a whole backup.
func extract(r io.Reader, dir string, keys ...age.Identity) (m Manifest, err error) {
	b := bufio.NewReader(r)
	head, _ := b.Peek(len(ageHeader)) // a short file is found out below
	plain := io.Reader(b)
	if bytes.Equal(head, []byte(ageHeader)) {
		if len(keys) == 0 {
			return m, fmt.Errorf("%w: the backup is encrypted: name its key", ErrKey)
		}
		plain, err = age.Decrypt(b, keys...)
		var none *age.NoIdentityMatchError
		if errors.As(err, &none) {
			return m, ErrKey
		}
		if err != nil {
			return m, fmt.Errorf("%w: decrypt backup: %w", fleet.ErrInvalid, err)
		}
	}
	z, err := zstd.NewReader(plain, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return m, fmt.Errorf("read backup: %w", err)
	}
	defer z.Close()
	var files []File
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return m, fmt.Errorf("%w: the backup ends without its manifest: it was cut off", fleet.ErrInvalid)
		}
		if err != nil {
			return m, fmt.Errorf("%w: read backup: %w", fleet.ErrInvalid, err)
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) {
			return m, fmt.Errorf("%w: the backup has an entry %q that no hub has written", fleet.ErrInvalid, h.Name)
		}
		if h.Name != manifestName {
			f, err := extractFile(t, dir, h)
			if err != nil {
				return m, err
			}
			files = append(files, f)
			continue
		}
		if err := json.NewDecoder(io.LimitReader(t, maxManifest)).Decode(&m); err != nil {
			return m, fmt.Errorf("%w: manifest: %w", fleet.ErrInvalid, err)
		}
		break
	}
	// The rest is the end of tar, zstd and age: read, it proves that nothing was
	// changed behind the manifest either.
	if _, err := io.Copy(io.Discard, z); err != nil {
		return m, fmt.Errorf("%w: read backup: %w", fleet.ErrInvalid, err)
	}
	if m.Format > format {
		return m, fmt.Errorf("the backup has format %d, this program knows %d: use a newer program", m.Format, format)
	}
	return m, compare(m.Files, files)
}

const ageHeader = "age-encryption.org/v1"

func extractFile(t *tar.Reader, dir string, h *tar.Header) (out File, err error) {
	path := filepath.Join(dir, filepath.FromSlash(h.Name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return out, fmt.Errorf("restore %s: %w", h.Name, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return out, fmt.Errorf("%w: the backup has %s twice", fleet.ErrInvalid, h.Name)
	}
	if err != nil {
		return out, fmt.Errorf("restore %s: %w", h.Name, err)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), t)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: the backup was cut off: %w", fleet.ErrInvalid, err)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return out, fmt.Errorf("restore %s: %w", h.Name, err)
	}
	return File{Path: h.Name, Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

// compare reports the first difference between what the manifest says and what
// was found.
func compare(want, got []File) error {
	byPath := func(a, b File) int { return cmp.Compare(a.Path, b.Path) }
	want, got = slices.SortedFunc(slices.Values(want), byPath), slices.SortedFunc(slices.Values(got), byPath)
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got) || i < len(want) && want[i].Path < got[i].Path:
			return fmt.Errorf("%w: the backup lacks %s", fleet.ErrInvalid, want[i].Path)
		case i >= len(want) || want[i].Path > got[i].Path:
			return fmt.Errorf("%w: the backup has %s, which its manifest does not name", fleet.ErrInvalid, got[i].Path)
		case want[i] != got[i]:
			return fmt.Errorf("%w: %s is not as its manifest says", fleet.ErrInvalid, got[i].Path)
		}
	}
	return nil
}
