package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/obedio/obedio/shared/fleet"
)

// KeeperConfig is what NewKeeper needs.
type KeeperConfig struct {
	// Source is what is backed up; its Now is set for each backup.
	Source Source
	Now    func() time.Time
	// Site is in the names of the files.
	Site fleet.SiteID
	// Keep is how many backups stay in DIR/backups; the oldest goes when there
	// is one more. 7.
	Keep int
	// Recipients are those for whom a backup is encrypted when nobody says
	// otherwise: age public keys.
	Recipients []age.Recipient
}

// Keeper makes backups of a running hub, and keeps some of them. One is made at
// a time. Its methods may be called from any goroutine.
type Keeper struct {
	c      KeeperConfig
	making sync.Mutex
}

// NewKeeper returns a keeper.
func NewKeeper(c KeeperConfig) *Keeper {
	c.Keep = cmp.Or(c.Keep, 7)
	return &Keeper{c: c}
}

// Kept is a backup in DIR/backups.
type Kept struct {
	Name      string    `json:"name"`
	Bytes     int64     `json:"bytes"`
	CreatedAt time.Time `json:"created_at"`
	Encrypted bool      `json:"encrypted"`
}

// Lock says how a backup is encrypted.
type Lock struct {
	// Passphrase or Recipients (age public keys); without both, the keeper's own
	// recipients.
	Passphrase string
	Recipients []string
	// Plain wants no encryption.
	Plain bool
}

// ParseRecipients reads age public keys. fleet.ErrInvalid.
func ParseRecipients(keys []string) ([]age.Recipient, error) {
	var all []age.Recipient
	for _, k := range keys {
		r, err := age.ParseX25519Recipient(strings.TrimSpace(k))
		if err != nil {
			return nil, fmt.Errorf("%w: recipient: %w", fleet.ErrInvalid, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// recipients are those that l means. fleet.ErrInvalid when it names no way to
// encrypt, or two.
func (l Lock) recipients(own []age.Recipient) ([]age.Recipient, error) {
	switch given := len(l.Recipients); {
	case l.Plain && (given > 0 || l.Passphrase != ""), given > 0 && l.Passphrase != "":
		return nil, fmt.Errorf("%w: a backup is plain, or for recipients, or under a passphrase", fleet.ErrInvalid)
	case l.Plain:
		return nil, nil
	case l.Passphrase != "":
		r, err := age.NewScryptRecipient(l.Passphrase)
		if err != nil {
			return nil, fmt.Errorf("%w: passphrase: %w", fleet.ErrInvalid, err)
		}
		return []age.Recipient{r}, nil
	case given > 0:
		return ParseRecipients(l.Recipients)
	case len(own) > 0:
		return own, nil
	}
	return nil, fmt.Errorf("%w: a backup holds keys and passwords: name a recipient or a passphrase, or say plain", fleet.ErrInvalid)
}

// Stream writes a backup to w; more stores are added to those of the source.
// fleet.ErrState while another is made.
func (k *Keeper) Stream(ctx context.Context, w io.Writer, l Lock, more ...Store) (Manifest, error) {
	to, err := l.recipients(k.c.Recipients)
	if err != nil {
		return Manifest{}, err
	}
	if !k.making.TryLock() {
		return Manifest{}, fmt.Errorf("%w: a backup is being made", fleet.ErrState)
	}
	defer k.making.Unlock()
	s := k.c.Source
	s.Now = k.c.Now()
	s.Stores = append(slices.Clone(s.Stores), more...)
	return Write(ctx, w, s, to...)
}

// Check says whether Stream would take l.
func (k *Keeper) Check(l Lock) error {
	_, err := l.recipients(k.c.Recipients)
	return err
}

func (k *Keeper) dir() string { return filepath.Join(k.c.Source.Dir, Dir) }

// Make is Stream into DIR/backups, and removes those that are too many there.
func (k *Keeper) Make(ctx context.Context, l Lock, more ...Store) (Kept, Manifest, error) {
	if err := os.MkdirAll(k.dir(), 0o700); err != nil {
		return Kept{}, Manifest{}, fmt.Errorf("make directory for backups: %w", err)
	}
	at := k.c.Now().UTC()
	name := fmt.Sprintf("%s-%s.tar.zst", k.c.Site, at.Format("20060102T150405.000Z"))
	if !l.Plain {
		name += ".age"
	}
	path := filepath.Join(k.dir(), name)
	var m Manifest
	if err := WriteFile(path, func(w io.Writer) (err error) {
		m, err = k.Stream(ctx, w, l, more...)
		return err
	}); err != nil {
		return Kept{}, m, err
	}
	if err := k.prune(name); err != nil {
		return Kept{}, m, err
	}
	made, err := k.find(name)
	return made, m, err
}

// prune removes the oldest that are too many; never the one just made, which a
// clock that was set back has made the oldest by name.
func (k *Keeper) prune(made string) error {
	all, err := k.List()
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(all, func(v Kept) bool { return v.Name == made })
	for _, v := range others[min(k.c.Keep-1, len(others)):] {
		if err := k.Remove(v.Name); err != nil && !errors.Is(err, fleet.ErrNotFound) {
			return err
		}
	}
	return nil
}

var keptName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*-(\d{8}T\d{6}\.\d{3}Z)\.tar\.zst(\.age)?$`)

// List returns the backups in DIR/backups, the newest first.
func (k *Keeper) List() ([]Kept, error) {
	entries, err := os.ReadDir(k.dir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	all := []Kept{}
	for _, e := range entries {
		if v, err := k.find(e.Name()); err == nil {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b Kept) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.Name, a.Name)) })
	return all, nil
}

func (k *Keeper) find(name string) (Kept, error) {
	m := keptName.FindStringSubmatch(name)
	if m == nil {
		return Kept{}, fmt.Errorf("%w: backup %q", fleet.ErrNotFound, name)
	}
	i, err := os.Lstat(filepath.Join(k.dir(), name))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !i.Mode().IsRegular() {
		return Kept{}, fmt.Errorf("%w: backup %q", fleet.ErrNotFound, name)
	}
	if err != nil {
		return Kept{}, fmt.Errorf("find backup: %w", err)
	}
	at, err := time.Parse("20060102T150405.000Z", m[1])
	return Kept{Name: name, Bytes: i.Size(), CreatedAt: at, Encrypted: m[2] != ""}, err
}

// Open opens a backup of DIR/backups. fleet.ErrNotFound.
func (k *Keeper) Open(name string) (*os.File, Kept, error) {
	v, err := k.find(name)
	if err != nil {
		return nil, v, err
	}
	f, err := os.Open(filepath.Join(k.dir(), name))
	return f, v, err
}

// Remove removes a backup of DIR/backups. fleet.ErrNotFound.
func (k *Keeper) Remove(name string) error {
	if _, err := k.find(name); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(k.dir(), name)); err != nil {
		return fmt.Errorf("remove backup: %w", err)
	}
	return nil
}
