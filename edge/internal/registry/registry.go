// Package registry knows the site's devices, rooms and profiles, and the
// passwords of devices. Each change is a record of the journal.
//
// What always holds: a device's version grows by one with each change; a
// change names the version that it was made on; a removed device leaves a
// tombstone, whose version a new device of that name continues; a room exists
// while a device is in it. Reading is from a copy in memory that is never behind
// what was acknowledged. All methods may be called from any goroutine.
package registry

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Profiles are the site's security profiles.
type Profiles interface {
	// HasProfile reports whether there is a profile of that name as of the view.
	HasProfile(v fleet.View, name string) (bool, error)
}

// ClaimPrefix begins the client ids of devices that are joining the site; no
// device has an id like that.
const ClaimPrefix = "provision-"

// Config is what New needs.
type Config struct {
	Site    fleet.SiteID
	Store   *store.Store
	Journal *journal.Journal
	// MaxDevices of the site; 2,000 by default.
	MaxDevices int
	// Profiles that devices may have; those named like the built-in types, which
	// are always there, if nil.
	Profiles Profiles
	// MoveGrace is how long a device that was moved may use the topics of both
	// places; 24 h.
	MoveGrace time.Duration
	// Leaving is called in the decision that removes or retires a device; may be
	// nil.
	Leaving func(tx *journal.Tx, by fleet.Actor, id fleet.DeviceID) error
}

// Registry holds the devices of one site.
type Registry struct {
	site     fleet.SiteID
	store    *store.Store
	journal  *journal.Journal
	max      int
	profiles Profiles
	leaving  func(tx *journal.Tx, by fleet.Actor, id fleet.DeviceID) error
	moved    moved
	proven   provenPasswords
	copied   *copied

	mu     sync.Mutex // guards adding
	adding int        // devices on their way into the journal
}

// New returns the registry of a site.
func New(c Config) (*Registry, error) {
	r := &Registry{
		site: c.Site, store: c.Store, journal: c.Journal, max: cmp.Or(c.MaxDevices, 2000),
		profiles: c.Profiles, proven: newProvenPasswords(),
	}
	if r.leaving = c.Leaving; r.leaving == nil {
		r.leaving = func(*journal.Tx, fleet.Actor, fleet.DeviceID) error { return nil }
	}
	var err error
	if r.copied, err = newCopy(c.Store); err != nil {
		return nil, err
	}
	if r.moved, err = newMoved(c.Store, cmp.Or(c.MoveGrace, 24*time.Hour)); err != nil {
		return nil, err
	}
	c.Journal.Follow(r.copied.event)
	return r, nil
}

// Site is whose devices these are.
func (r *Registry) Site() fleet.SiteID { return r.site }

// Device returns a registered device; fleet.ErrNotFound.
func (r *Registry) Device(id fleet.DeviceID) (fleet.Device, error) {
	d, ok := r.copied.device(id)
	if !ok {
		return d, fmt.Errorf("%w: device %s", fleet.ErrNotFound, id)
	}
	return d, nil
}

// Devices returns the registered devices in the order of their ids. Nobody may
// change what it returns.
func (r *Registry) Devices() ([]fleet.Device, error) {
	all, _ := r.copied.all()
	return all, nil
}

// Watches returns those of the devices that are watches. Nobody may change what
// it returns.
func (r *Registry) Watches() []fleet.Device {
	_, watches := r.copied.all()
	return watches
}

// Rooms returns the rooms in the order of their ids.
func (r *Registry) Rooms() ([]fleet.Room, error) { return r.copied.allRooms(), nil }

// Password is what Add and Change are to do about a device's password.
type Password struct {
	// Generate makes a random one.
	Generate bool
	// Chosen is one that a person has chosen: 8 to 128 bytes.
	Chosen string
}

// Check reports a chosen password that cannot be taken.
func (p Password) Check() error {
	if p.Chosen != "" && (len(p.Chosen) < 8 || len(p.Chosen) > 128) {
		return fmt.Errorf("%w: password has %d bytes: want 8 to 128", fleet.ErrInvalid, len(p.Chosen))
	}
	return nil
}

// Add registers d, and returns it with the password that was made or chosen
// ("" for none). fleet.ErrExists, fleet.ErrInvalid, fleet.ErrLimit.
func (r *Registry) Add(ctx context.Context, by fleet.Actor, d fleet.Device, p Password) (fleet.Device, string, error) {
	if d.Profile == "" {
		d.Profile = string(d.Type)
	}
	if err := errors.Join(r.check(d), p.Check()); err != nil {
		return d, "", err
	}
	r.mu.Lock()
	if err := r.full(); err != nil {
		r.mu.Unlock()
		return d, "", err
	}
	r.adding++
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.adding--
		r.mu.Unlock()
	}()

	plain, cred := p.make()
	err := r.journal.Do(ctx, func(tx *journal.Tx) (err error) {
		if d, err = r.add(tx, by, d, fleet.ErrExists); err != nil || cred == nil {
			return err
		}
		cred.ChangedAt = tx.Now()
		return tx.PutCredential(d.ID, *cred)
	})
	if err != nil {
		return d, "", err
	}
	return d, plain, nil
}

// Full reports as fleet.ErrLimit that the site may have no more devices.
func (r *Registry) Full() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.full()
}

// GivePasswordIn makes the password of a device anew, inside a decision, and
// returns it: it is kept nowhere.
func (r *Registry) GivePasswordIn(tx *journal.Tx, id fleet.DeviceID) (string, error) {
	plain, cred := Password{Generate: true}.make()
	cred.ChangedAt = tx.Now()
	return plain, tx.PutCredential(id, *cred)
}

// full reports as fleet.ErrLimit that the site may have no more devices. The
// caller holds mu.
func (r *Registry) full() error {
	if r.copied.count()+r.adding >= r.max {
		return fmt.Errorf("%w: the site has %d devices, which is the most it may have", fleet.ErrLimit, r.max)
	}
	return nil
}

// add appends a device that is new; taken is the error when it is not.
func (r *Registry) add(tx *journal.Tx, by fleet.Actor, d fleet.Device, taken error) (fleet.Device, error) {
	old, found, err := fleet.Get[fleet.Device](tx, fleet.DeviceRef(d.ID))
	if err != nil {
		return d, err
	}
	if found && !old.Removed {
		return d, fmt.Errorf("%w: device %s", taken, d.ID)
	}
	d.Version, d.Removed = old.Version+1, false
	d.CreatedAt, d.UpdatedAt = tx.Now(), tx.Now()
	return d, r.put(tx, by, d)
}

// put appends the device, and its room when there is none of that name yet. A
// device that stays must have a profile that exists.
func (r *Registry) put(tx *journal.Tx, by fleet.Actor, d fleet.Device) error {
	if ok, err := r.hasProfile(tx, d.Profile); err != nil {
		return err
	} else if !ok && !d.Removed {
		return fmt.Errorf("%w: security_profile %q does not exist", fleet.ErrInvalid, d.Profile)
	}
	room, found, err := fleet.Get[fleet.Room](tx, fleet.RoomRef(d.Room))
	if err != nil {
		return err
	}
	if !d.Removed && (!found || room.Removed) {
		room = fleet.Room{ID: d.Room, Name: RoomName(d.Room), UpdatedAt: tx.Now(), Version: room.Version + 1}
		if err := tx.Append(by, fleet.RoomChanged{Room: room}); err != nil {
			return err
		}
	}
	return tx.Append(by, fleet.DeviceChanged{Device: d})
}

func (r *Registry) hasProfile(v fleet.View, name string) (bool, error) {
	if r.profiles == nil {
		_, err := fleet.ParseDeviceType(name)
		return err == nil, nil
	}
	return r.profiles.HasProfile(v, name)
}

// RoomName is what a room is called until somebody gives it a name:
// "cabin-101" is "Cabin 101".
func RoomName(id fleet.RoomID) string {
	name := strings.Map(func(c rune) rune {
		if c == '-' || c == '_' || c == '.' {
			return ' '
		}
		return c
	}, string(id))
	return strings.ToUpper(name[:1]) + name[1:]
}

func (r *Registry) check(d fleet.Device) error {
	if err := d.Check(); err != nil {
		return err
	}
	if strings.HasPrefix(string(d.ID), ClaimPrefix) {
		return fmt.Errorf("%w: device_id %q: ids that begin with %s are those of devices that are joining", fleet.ErrInvalid, d.ID, ClaimPrefix)
	}
	if d.Room == "system" {
		return fmt.Errorf("%w: room %q is the name of the hub's own topics", fleet.ErrInvalid, d.Room)
	}
	return nil
}

// Change replaces what people may change of a device: room, name, profile,
// tags, metadata, legacy id. The id and the type stay. version is the one that
// the change was made on: fleet.ErrVersion. fleet.ErrNotFound.
func (r *Registry) Change(ctx context.Context, by fleet.Actor, d fleet.Device, version uint64) (fleet.Device, error) {
	var changed fleet.Device
	err := r.journal.Do(ctx, func(tx *journal.Tx) (err error) {
		changed, err = r.ChangeIn(tx, by, d, version)
		return err
	})
	return changed, err
}

// ChangeIn is Change inside a decision.
func (r *Registry) ChangeIn(tx *journal.Tx, by fleet.Actor, d fleet.Device, version uint64) (fleet.Device, error) {
	old, err := current(tx, d.ID, version)
	if err != nil {
		return old, err
	}
	next := old
	next.Room, next.Name, next.Profile = d.Room, d.Name, d.Profile
	next.Tags, next.Metadata, next.LegacyID, next.PressProfile = d.Tags, d.Metadata, d.LegacyID, d.PressProfile
	if next.Profile == "" {
		next.Profile = old.Profile
	}
	if err := r.check(next); err != nil {
		return next, err
	}
	next.Version, next.UpdatedAt = old.Version+1, tx.Now()
	if next.Room != old.Room {
		if err := r.moved.put(tx, old); err != nil {
			return next, err
		}
	}
	return next, r.put(tx, by, next)
}

// Remove removes a device and forgets its password. fleet.ErrNotFound,
// fleet.ErrVersion.
func (r *Registry) Remove(ctx context.Context, by fleet.Actor, id fleet.DeviceID, version uint64) error {
	return r.journal.Do(ctx, func(tx *journal.Tx) error { return r.RemoveIn(tx, by, id, version) })
}

// RemoveIn is Remove inside a decision.
func (r *Registry) RemoveIn(tx *journal.Tx, by fleet.Actor, id fleet.DeviceID, version uint64) error {
	d, err := current(tx, id, version)
	if err != nil {
		return err
	}
	d.Removed, d.UpdatedAt = true, tx.Now()
	d.Version++
	tx.DeleteCredential(id)
	r.moved.end(tx, id)
	if err := r.put(tx, by, d); err != nil {
		return err
	}
	return r.leaving(tx, by, id)
}

// AddIn registers a device inside a decision, without a password.
// fleet.ErrVersion when there is one of its id: the caller knew of none.
// fleet.ErrInvalid, fleet.ErrLimit; a decision that adds several looks at Spare
// itself, as what it has added is not counted yet.
func (r *Registry) AddIn(tx *journal.Tx, by fleet.Actor, d fleet.Device) error {
	if d.Profile == "" {
		d.Profile = string(d.Type)
	}
	if err := r.check(d); err != nil {
		return err
	}
	r.mu.Lock()
	err := r.full()
	r.mu.Unlock()
	if err == nil {
		_, err = r.add(tx, by, d, fleet.ErrVersion)
	}
	return err
}

// Spare is how many more devices the site may have.
func (r *Registry) Spare() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(0, r.max-r.copied.count()-r.adding)
}

func current(tx *journal.Tx, id fleet.DeviceID, version uint64) (fleet.Device, error) {
	d, found, err := fleet.Get[fleet.Device](tx, fleet.DeviceRef(id))
	switch {
	case err != nil:
		return d, err
	case !found || d.Removed:
		return d, fmt.Errorf("%w: device %s", fleet.ErrNotFound, id)
	case d.Version != version:
		return d, fmt.Errorf("%w: device %s has version %d, not %d", fleet.ErrVersion, id, d.Version, version)
	}
	return d, nil
}

// generate returns a password of 130 random bits that people can type.
func generate() string {
	var b [17]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return strings.ToLower(base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding).EncodeToString(b[:]))[:26]
}
