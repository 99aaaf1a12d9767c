package mosquitto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
)

// Devices are the site's registered devices.
type Devices interface {
	Devices() ([]fleet.Device, error)
	// AddIn registers a device inside a decision.
	AddIn(tx *journal.Tx, by fleet.Actor, d fleet.Device) error
	// Spare is how many more devices the site may have.
	Spare() int
}

// Policies are the site's policy documents.
type Policies interface {
	Policy() *access.Policy
	// PutListsIn stores ACL documents inside a decision, and returns the ids of
	// those that changed something.
	PutListsIn(tx *journal.Tx, by fleet.Actor, lists []access.List) ([]string, error)
	// Reload is called after a decision with PutListsIn was committed.
	Reload() error
}

// Config is what New needs.
type Config struct {
	Site     fleet.SiteID
	Store    *store.Store
	Journal  *journal.Journal
	Devices  Devices
	Policies Policies
}

// Mover imports and exports.
type Mover struct{ c Config }

// New returns a mover.
func New(c Config) *Mover { return &Mover{c} }

// Files are the text of both files; either may be empty.
type Files struct {
	Passwd, Dynsec string
}

// Register says what devices are made for users that are none yet.
type Register struct {
	Type fleet.DeviceType
	Room fleet.RoomID
}

// Report is what an import did, or would do.
type Report struct {
	DryRun bool `json:"dry_run"`
	// Registered are devices that were made.
	Registered []fleet.DeviceID `json:"registered"`
	// Credentials are devices whose password is that of the files now.
	Credentials []fleet.DeviceID `json:"credentials"`
	// ACLs are documents that are new or were changed.
	ACLs []string `json:"acls"`
	// Notes are what was left out, or is different here.
	Notes []Note `json:"notes"`
}

// errDryRun ends a decision that is not to be committed.
var errDryRun = errors.New("dry run")

// Import brings files in, in one transaction. register, if not nil, makes
// devices for users that are none. With dryRun nothing changes, and the report
// is the same. fleet.ErrInvalid when a file cannot be read at all or register
// is wrong, fleet.ErrLimit.
func (m *Mover) Import(ctx context.Context, by fleet.Actor, f Files, register *Register, dryRun bool) (Report, error) {
	in, err := m.read(f, register)
	if err != nil {
		return Report{}, err
	}
	r := Report{
		DryRun: dryRun, Registered: []fleet.DeviceID{}, Credentials: []fleet.DeviceID{}, ACLs: []string{}, Notes: in.notes,
	}
	err = m.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		for _, d := range in.fresh {
			if err := m.c.Devices.AddIn(tx, by, d); err != nil {
				return fmt.Errorf("register %s: %w", d.ID, err)
			}
			r.Registered = append(r.Registered, d.ID)
		}
		for _, a := range in.accounts {
			a.cred.ChangedAt = tx.Now()
			if err := tx.PutCredential(fleet.DeviceID(a.user), a.cred); err != nil {
				return err
			}
			r.Credentials = append(r.Credentials, fleet.DeviceID(a.user))
		}
		put, err := m.c.Policies.PutListsIn(tx, by, in.lists)
		if err != nil {
			return err
		}
		for _, id := range put {
			if _, had := m.c.Policies.Policy().List(id); had {
				r.Notes = append(r.Notes, Note{File: "hub", Entry: "acl " + id, Problem: "was there, and is replaced"})
			}
		}
		if r.ACLs = append(r.ACLs, put...); dryRun {
			return errDryRun
		}
		return tx.Audit(by, "mosquitto.imported", string(m.c.Site), map[string]string{
			"registered": strconv.Itoa(len(r.Registered)), "credentials": strconv.Itoa(len(r.Credentials)), "acls": strconv.Itoa(len(r.ACLs)),
		})
	})
	switch {
	case errors.Is(err, errDryRun):
		return r, nil
	case err != nil:
		return Report{}, fmt.Errorf("import from mosquitto: %w", err)
	}
	return r, m.c.Policies.Reload()
}

// incoming is what files amount to on this site.
type incoming struct {
	fresh    []fleet.Device
	accounts []account
	lists    []access.List
	notes    []Note
}

// read parses, translates, and compares with the registered devices.
func (m *Mover) read(f Files, register *Register) (in incoming, err error) {
	file, err := parseDynsec(f.Dynsec)
	if err != nil {
		return in, err
	}
	accounts, notes := parsePasswd(f.Passwd)
	in.notes = append([]Note{}, notes...)
	known := map[string]bool{}
	devices, err := m.c.Devices.Devices()
	if err != nil {
		return in, err
	}
	for _, d := range devices {
		known[string(d.ID)] = true
	}
	spare := m.c.Devices.Spare()
	// device reports whether a user is a device, or becomes one.
	device := func(user, file string, line int) bool {
		if known[user] {
			return true
		}
		note := Note{File: file, Line: line, Entry: "user " + user}
		switch {
		case !fleet.ValidSegment(user):
			note.Problem = "no device can have that name: register one and set its password anew"
		case register == nil:
			note.Problem = "no device of that name: register it first, or pass --register type,room"
		case spare == 0:
			note.Problem = "not registered: the site has as many devices as it may have"
		default:
			spare--
			known[user] = true
			in.fresh = append(in.fresh, fleet.Device{ID: fleet.DeviceID(user), Type: register.Type, Room: register.Room})
			return true
		}
		in.notes = append(in.notes, note)
		return false
	}
	if register != nil {
		if err := (fleet.Device{ID: "x", Type: register.Type, Room: register.Room, Profile: "x"}).Check(); err != nil {
			return in, err
		}
	}
	var members []member
	for _, c := range file.Clients {
		if c.Disabled {
			in.notes = append(in.notes, Note{File: "dynsec", Entry: "client " + c.Username, Problem: "is disabled: left out"})
			continue
		}
		if !device(c.Username, "dynsec", 0) {
			continue
		}
		if c.ClientID != "" && c.ClientID != c.Username {
			in.notes = append(in.notes, Note{
				File: "dynsec", Entry: "client " + c.Username,
				Problem: fmt.Sprintf("its client id %q is not kept: a device's client id is its device id", c.ClientID),
			})
		}
		members = append(members, member{fleet.DeviceID(c.Username), c})
	}
	lists, leftOut, notes := translate(file, members)
	in.lists, in.notes = lists, append(in.notes, notes...)
	if err := m.tryOut(lists, devices); err != nil {
		return in, err
	}
	in.take(accounts, members, leftOut, device)
	in.fresh = slices.DeleteFunc(in.fresh, func(d fleet.Device) bool { return leftOut[d.ID] })
	return in, nil
}

// tryOut reports as fleet.ErrInvalid documents under which a device could not
// connect any more.
func (m *Mover) tryOut(lists []access.List, devices []fleet.Device) error {
	now := m.c.Policies.Policy()
	draft := now.With(nil, lists)
	for _, d := range devices {
		if _, err := draft.Grant(m.c.Site, d, string(d.ID)); err != nil {
			if _, before := now.Grant(m.c.Site, d, string(d.ID)); before == nil {
				return fmt.Errorf("%w: with these roles device %s could not connect any more: %w", fleet.ErrInvalid, d.ID, err)
			}
		}
	}
	return nil
}

// take collects the passwords. One in the dynamic security file counts before
// one of the same user in the password file, as it does for Mosquitto.
func (in *incoming) take(accounts []account, members []member, leftOut map[fleet.DeviceID]bool, device func(user, file string, line int) bool) {
	has := map[string]int{}
	put := func(a account) {
		if i, twice := has[a.user]; twice {
			in.accounts[i] = a
			return
		}
		has[a.user] = len(in.accounts)
		in.accounts = append(in.accounts, a)
	}
	for _, a := range accounts {
		if !leftOut[fleet.DeviceID(a.user)] && device(a.user, a.file, a.line) {
			put(a)
		}
	}
	for _, m := range members {
		cred, found, err := m.client.credential()
		switch {
		case leftOut[m.device]:
		case err != nil:
			in.notes = append(in.notes, Note{File: "dynsec", Entry: "client " + m.client.Username, Problem: err.Error()})
		case found:
			put(account{user: string(m.device), cred: cred, file: "dynsec"})
		}
	}
}

// Export writes the site's devices with their passwords and rights. Devices
// without a password that Mosquitto can check are in the dynamic security file
// without one, and noted.
func (m *Mover) Export() (Files, []Note, error) {
	devices, err := m.c.Devices.Devices()
	if err != nil {
		return Files{}, nil, err
	}
	x := exporter{site: m.c.Site, policy: m.c.Policies.Policy(), roles: map[string][]acl{}, noted: map[string]bool{}, notes: []Note{}}
	for _, d := range devices {
		cred, found, err := m.c.Store.Credential(d.ID)
		if err != nil {
			return Files{}, nil, err
		}
		if err := x.device(d, cred, found); err != nil {
			return Files{}, nil, err
		}
	}
	text, err := json.MarshalIndent(x.file(), "", "\t")
	if err != nil {
		return Files{}, nil, fmt.Errorf("write dynamic security file: %w", err)
	}
	return Files{Passwd: x.passwd.String(), Dynsec: string(text) + "\n"}, x.notes, nil
}
