package backup

import (
	"archive/tar"
	"context"
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
	"strings"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// Store is a database in the data directory that a backup takes a copy of.
type Store interface {
	// Name is its directory there.
	Name() string
	// Checkpoint makes dir a copy of it, as of one moment.
	Checkpoint(dir string) error
}

// Source is what a backup is made of.
type Source struct {
	// Dir is the data directory.
	Dir string
	// Stores are the open databases in it, the hub's own first.
	Stores []Store
	// Version of the program.
	Version string
	Now     time.Time
}

// manifestName is the last entry of the tar.
const manifestName = "manifest.json"

// notKept are entries of the data directory that belong to the machine or to
// other backups. Databases come from their checkpoints; one that was damaged
// and moved aside (NAME.db.damaged-…) can be as large as the disk allows.
func notKept(e fs.DirEntry) bool {
	name := e.Name()
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, asidePrefix) || name == "ballast" || name == Dir ||
		strings.HasSuffix(name, ".db") || strings.Contains(name, ".db.") || !e.IsDir() && !e.Type().IsRegular()
}

// Write writes a backup to w, encrypted for the recipients, plain for none. It
// needs room for what the stores change while it runs.
func Write(ctx context.Context, w io.Writer, s Source, recipients ...age.Recipient) (m Manifest, err error) {
	work, err := os.MkdirTemp(s.Dir, ".backup-")
	if err != nil {
		return m, fmt.Errorf("make backup: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	m = Manifest{Format: format, Version: s.Version, CreatedAt: s.Now.UTC().Truncate(time.Millisecond), Stores: []string{}}
	for _, v := range s.Stores {
		if err := v.Checkpoint(filepath.Join(work, v.Name())); err != nil {
			return m, err
		}
		m.Stores = append(m.Stores, v.Name())
	}
	if err := m.describe(work); err != nil {
		return m, fmt.Errorf("look into the copy of the store: %w", err)
	}

	out := io.WriteCloser(nopCloser{w})
	if len(recipients) > 0 {
		if out, err = age.Encrypt(w, recipients...); err != nil {
			return m, fmt.Errorf("encrypt backup: %w", err)
		}
	}
	z, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return m, fmt.Errorf("compress backup: %w", err)
	}
	a := &archive{tar: tar.NewWriter(z), m: &m}
	if err := a.all(ctx, work, s.Dir); err != nil {
		return m, fmt.Errorf("write backup: %w", err)
	}
	for _, c := range []io.Closer{a.tar, z, out} {
		if err := c.Close(); err != nil {
			return m, fmt.Errorf("write backup: %w", err)
		}
	}
	return m, nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

type archive struct {
	tar *tar.Writer
	m   *Manifest
}

func (a *archive) all(ctx context.Context, work, data string) error {
	if err := a.tree(ctx, work, func(fs.DirEntry) bool { return false }); err != nil {
		return err
	}
	if err := a.tree(ctx, data, notKept); err != nil {
		return err
	}
	b, err := json.Marshal(a.m)
	if err != nil {
		return err
	}
	if err := a.tar.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(b)), ModTime: a.m.CreatedAt}); err != nil {
		return err
	}
	_, err = a.tar.Write(b)
	return err
}

// tree adds the regular files below dir, without the entries of dir itself that
// are to be skipped.
func (a *archive) tree(ctx context.Context, dir string, skip func(fs.DirEntry) bool) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if filepath.Dir(path) == dir && skip(e) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !e.Type().IsRegular() || e.Name() == "LOCK" {
			return nil
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return a.file(path, filepath.ToSlash(name))
	})
}

func (a *archive) file(path, name string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	i, err := f.Stat()
	if err != nil {
		return err
	}
	if err := a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: i.Size(), ModTime: i.ModTime().UTC()}); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(a.tar, sum), f, i.Size()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	a.m.Files = append(a.m.Files, File{Path: name, Bytes: i.Size(), SHA256: hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// WriteFile makes the file at path with what write writes: it appears whole, on
// disk and readable by its owner only, or not at all. One that is there is
// replaced.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".backup-*") // of mode 0600
	if err != nil {
		return fmt.Errorf("make %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return errors.Join(f.Close(), syncDir(filepath.Dir(path)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Clean removes what a killed backup has left in a data directory that no
// program uses.
func Clean(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, ".backup-*"))
	if err != nil {
		return err
	}
	kept, err := filepath.Glob(filepath.Join(dir, Dir, ".backup-*"))
	if err != nil {
		return err
	}
	for _, path := range slices.Concat(left, kept) {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove what a killed backup has left: %w", err)
		}
	}
	return nil
}
