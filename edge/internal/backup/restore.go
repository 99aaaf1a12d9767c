package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Names in the data directory.
const (
	// Dir holds the backups that the hub keeps itself.
	Dir = "backups"

	asidePrefix = "before-restore-"
	incoming    = ".restore-new" // not whole yet
	decided     = ".restore"     // whole: what was there before is to go aside
	moving      = ".restore-in"  // what was there before is aside
	asideName   = ".aside"       // in the two: the name of the directory for it
)

// RestoreConfig is what Restore needs.
type RestoreConfig struct {
	// Dir is the data directory, which no program may use meanwhile.
	Dir string
	// Replace lets data that are there be moved aside.
	Replace bool
	// Keys open an encrypted backup.
	Keys []age.Identity
	// Now names the directory of what is moved aside.
	Now time.Time

	// step is told before each step; a test ends the restore there.
	step func(string) error
}

// ErrNotEmpty: there are data in the directory.
var ErrNotEmpty = errors.New("there are data in the directory already")

// Restore makes the backup r the data of a directory: with a new epoch, all or
// nothing. What was there before is in the returned directory, "" for none.
func Restore(ctx context.Context, r io.Reader, c RestoreConfig) (m Manifest, aside string, err error) {
	if c.step == nil {
		c.step = func(string) error { return nil }
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return m, "", fmt.Errorf("make data directory: %w", err)
	}
	if _, err := Finish(c.Dir); err != nil {
		return m, "", err
	}
	old, err := present(c.Dir)
	if err != nil {
		return m, "", err
	}
	if len(old) > 0 && !c.Replace {
		return m, "", fmt.Errorf("%w: %s holds %s", ErrNotEmpty, c.Dir, strings.Join(old, ", "))
	}
	into := filepath.Join(c.Dir, incoming)
	if err := os.RemoveAll(into); err != nil {
		return m, "", fmt.Errorf("remove what a killed restore has left: %w", err)
	}
	if err := os.Mkdir(into, 0o700); err != nil {
		return m, "", fmt.Errorf("restore: %w", err)
	}
	if m, err = prepare(ctx, r, into, c); err != nil {
		if !errors.Is(err, errKilled) {
			err = errors.Join(err, os.RemoveAll(into))
		}
		return m, "", err
	}
	if err := c.step("decide"); err != nil {
		return m, "", err
	}
	if err := errors.Join(os.Rename(into, filepath.Join(c.Dir, decided)), syncDir(c.Dir)); err != nil {
		return m, "", fmt.Errorf("restore: %w", err)
	}
	aside, err = finish(c.Dir, c.step)
	return m, aside, err
}

// Extract reads a backup into an empty directory and checks it, as Restore does
// first. fleet.ErrInvalid when it is not a whole backup; ErrKey.
func Extract(r io.Reader, dir string, keys ...age.Identity) (Manifest, error) {
	m, err := extract(r, dir, keys...)
	if err != nil {
		return m, err
	}
	return m, check(m, dir)
}

// errKilled is what a test's step returns to stand for a kill.
var errKilled = errors.New("killed")

// prepare fills the directory with the backup, checked and with a new epoch.
func prepare(ctx context.Context, r io.Reader, into string, c RestoreConfig) (Manifest, error) {
	if err := c.step("extract"); err != nil {
		return Manifest{}, err
	}
	m, err := Extract(r, into, c.Keys...)
	if err != nil {
		return m, err
	}
	if err := c.step("epoch"); err != nil {
		return m, err
	}
	if err := beginEpoch(ctx, into); err != nil {
		return m, err
	}
	name := asidePrefix + c.Now.UTC().Format("20060102T150405Z")
	for i := 2; ; i++ {
		if _, err := os.Lstat(filepath.Join(c.Dir, name)); errors.Is(err, fs.ErrNotExist) {
			break
		}
		name = fmt.Sprintf("%s%s-%d", asidePrefix, c.Now.UTC().Format("20060102T150405Z"), i)
	}
	if err := WriteFile(filepath.Join(into, asideName), func(w io.Writer) error {
		_, err := io.WriteString(w, name)
		return err
	}); err != nil {
		return m, err
	}
	return m, syncTree(into)
}

// check compares the store in dir with what the manifest says of it.
func check(m Manifest, dir string) error {
	found := Manifest{}
	if err := found.describe(dir); err != nil {
		return fmt.Errorf("look into the restored store: %w", err)
	}
	if found.Site != m.Site || found.Epoch != m.Epoch || found.Digest != m.Digest {
		return fmt.Errorf("%w: the restored store is not the one of the manifest", fleet.ErrInvalid)
	}
	for i, h := range m.Heads {
		if i >= len(found.Heads) || found.Heads[i] != h {
			return fmt.Errorf("%w: lane %s of the restored store does not end where the manifest says", fleet.ErrInvalid, h.Lane)
		}
	}
	return nil
}

// beginEpoch makes the store in dir one of a new epoch, and marks it for the
// hub, which has to end the commands that waited in it.
func beginEpoch(ctx context.Context, dir string) error {
	s, err := store.Open(store.Config{Dir: dir})
	if err != nil {
		return err
	}
	id, _, err := s.Identity()
	if err == nil {
		from := id.Epoch
		id.Epoch = fleet.NewEpoch()
		err = s.Update(ctx, func(tx *store.Tx) error {
			return errors.Join(tx.PutIdentity(id), tx.PutRestored(store.Restored{From: from}))
		})
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("begin a new epoch: %w", err)
	}
	return nil
}

// present are the entries of a data directory that a restore would replace.
func present(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look into %s: %w", dir, err)
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if name == Dir || name == "ballast" || name == "lost+found" || strings.HasPrefix(name, ".") ||
			strings.HasPrefix(name, asidePrefix) || e.Type()&fs.ModeSocket != 0 {
			continue
		}
		names = append(names, name)
	}
	return names, nil
}

// Finish ends a restore that was decided and then killed, and says whether
// there was one. Call it before the data are used.
func Finish(dir string) (bool, error) {
	for _, name := range []string{decided, moving} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			_, err := finish(dir, func(string) error { return nil })
			return true, err
		}
	}
	return false, nil
}

// finish moves the old data aside and the new ones in. Each move is one rename
// that is done or not, so it can be begun again anywhere.
func finish(dir string, step func(string) error) (aside string, err error) {
	from, to := filepath.Join(dir, decided), filepath.Join(dir, moving)
	if _, err := os.Lstat(from); err == nil {
		if aside, err = asideOf(dir, from); err != nil {
			return "", fmt.Errorf("finish restore: %w", err)
		}
		old, err := present(dir)
		if err != nil {
			return "", err
		}
		if len(old) > 0 {
			if err := os.Mkdir(aside, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
				return "", fmt.Errorf("finish restore: %w", err)
			}
		}
		for _, name := range old {
			if err := step("aside " + name); err != nil {
				return "", err
			}
			if err := os.Rename(filepath.Join(dir, name), filepath.Join(aside, name)); err != nil {
				return "", fmt.Errorf("move old data aside: %w", err)
			}
		}
		if _, err := os.Lstat(aside); err == nil {
			if err := syncDir(aside); err != nil {
				return "", err
			}
		}
		if err := step("turn"); err != nil {
			return "", err
		}
		if err := errors.Join(syncDir(dir), os.Rename(from, to), syncDir(dir)); err != nil {
			return "", fmt.Errorf("finish restore: %w", err)
		}
	}
	// Its name goes last: without it everything is in place.
	if aside, err = asideOf(dir, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("finish restore: %w", err)
	}
	if err := moveIn(dir, to, step); err != nil {
		return "", fmt.Errorf("finish restore: %w", err)
	}
	if _, err := os.Lstat(aside); err != nil {
		aside = "" // there was nothing before
	}
	return aside, nil
}

// asideOf is where the data go that were there before.
func asideOf(dir, from string) (string, error) {
	b, err := os.ReadFile(filepath.Join(from, asideName))
	if err != nil {
		return "", err
	}
	name := filepath.Base(string(b))
	if !strings.HasPrefix(name, asidePrefix) {
		return "", fmt.Errorf("%w: %s names %q", fleet.ErrInvalid, asideName, name)
	}
	return filepath.Join(dir, name), nil
}

func moveIn(dir, from string, step func(string) error) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == asideName {
			continue
		}
		if err := step("in " + e.Name()); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	if err := step("end"); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(from, asideName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(os.Remove(from), syncDir(dir))
}

// syncTree makes the names in all directories below dir durable; the files are
// already.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return syncDir(path)
	})
}
