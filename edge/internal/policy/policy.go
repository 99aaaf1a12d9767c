// Package policy holds what the site's devices may do on the broker: security
// profiles and ACL documents. Each change is a record of the journal; what the
// documents mean is the business of shared/access.
//
// What always holds: there is a profile for each built-in type of device,
// stored or not; a stored one of that name stands in its place until it is
// removed. A document's version grows by one with each change, over removal
// too, and a change names the version that it was made on. A profile that a
// device has, and an ACL document that a profile names, cannot be removed.
// Policy never shows half of a change.
//
// On disk: the documents, as entities. In memory: all of them, compiled per
// client when somebody asks. All methods may be called from any goroutine.
package policy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what New needs.
type Config struct {
	Site    fleet.SiteID
	Store   *store.Store
	Journal *journal.Journal
	// MaxDocuments of the site, profiles and ACL documents together; 4,096 by
	// default.
	MaxDocuments int
}

// Policies holds the policy of one site.
type Policies struct {
	c       Config
	changes *feed.Feed[Change]

	reload sync.Mutex // one reload at a time, so that the newest one stands
	now    atomic.Pointer[snapshot]
}

// snapshot is everything at one moment. It does not change.
type snapshot struct {
	policy    *access.Policy
	documents map[fleet.Ref]fleet.Document // tombstones too
	revision  uint64
}

// Change is told after documents have changed.
type Change struct {
	// Revision counts the changes of all documents, over restarts.
	Revision uint64
	// Profiles are the names of those that changed, by themselves or by an ACL
	// document that they name or that names them.
	Profiles []string
	// ACLs are the ids of ACL documents that changed.
	ACLs []string
}

// Document is a profile or an ACL document with what is known of it.
type Document[T any] struct {
	Value T
	// Version is 0 for a built-in profile that was never stored.
	Version   uint64
	UpdatedAt time.Time
	// BuiltIn: it is not stored, but part of the program.
	BuiltIn bool
}

// New reads the documents.
func New(c Config) (*Policies, error) {
	c.MaxDocuments = cmp.Or(c.MaxDocuments, 4096)
	p := &Policies{c: c, changes: feed.New[Change](256)}
	s, err := p.read()
	if err != nil {
		return nil, err
	}
	p.now.Store(s)
	return p, nil
}

// Changes is the feed of what changed. A reader that has lagged looks at
// everything again.
func (p *Policies) Changes() *feed.Feed[Change] { return p.changes }

// Policy is the policy as it is now.
func (p *Policies) Policy() *access.Policy { return p.now.Load().policy }

// ReportingInterval is that of a profile; 0 when it has none of its own.
func (p *Policies) ReportingInterval(profile string) time.Duration {
	v, _ := p.Policy().Profile(profile)
	return time.Duration(v.ReportingInterval) * time.Second
}

// RelayOf is the device whose profile says that it relays for id; empty for
// none. devices are the registered ones.
func (p *Policies) RelayOf(id fleet.DeviceID, devices func() ([]fleet.Device, error)) fleet.DeviceID {
	relays := map[string]bool{}
	for _, v := range p.Policy().Profiles() {
		if slices.Contains(v.Relay, id) {
			relays[v.Name] = true
		}
	}
	if len(relays) == 0 {
		return ""
	}
	all, err := devices()
	if err != nil {
		return ""
	}
	for _, d := range all {
		if relays[d.Profile] && d.ID != id {
			return d.ID
		}
	}
	return ""
}

// ProfileOf returns the profile of that name as it is now; fleet.ErrInvalid when
// there is none.
func (p *Policies) ProfileOf(name string) (access.Profile, error) {
	v, ok := p.Policy().Profile(name)
	if !ok {
		return v, fmt.Errorf("%w: security_profile %q does not exist", fleet.ErrInvalid, name)
	}
	return v, nil
}

// HasProfile reports whether there is a profile of that name as of the view: a
// decision of the journal can rely on it.
func (p *Policies) HasProfile(v fleet.View, name string) (bool, error) {
	if builtIn(name) {
		return true, nil
	}
	d, found, err := fleet.Get[fleet.Document](v, fleet.DocumentRef(fleet.DocumentProfile, name))
	return found && !d.Removed, err
}

func builtIn(name string) bool {
	_, err := fleet.ParseDeviceType(name)
	return err == nil
}

// Profiles are all profiles, by name.
func (p *Policies) Profiles() []Document[access.Profile] {
	s := p.now.Load()
	var all []Document[access.Profile]
	for _, v := range s.policy.Profiles() {
		all = append(all, describe(s, fleet.DocumentProfile, v.Name, v))
	}
	return all
}

// Profile returns a profile; fleet.ErrNotFound.
func (p *Policies) Profile(name string) (Document[access.Profile], error) {
	s := p.now.Load()
	v, ok := s.policy.Profile(name)
	if !ok {
		return Document[access.Profile]{}, fmt.Errorf("%w: profile %s", fleet.ErrNotFound, name)
	}
	return describe(s, fleet.DocumentProfile, name, v), nil
}

// Lists are all ACL documents, by id.
func (p *Policies) Lists() []Document[access.List] {
	s := p.now.Load()
	var all []Document[access.List]
	for _, v := range s.policy.Lists() {
		all = append(all, describe(s, fleet.DocumentACL, v.ID, v))
	}
	return all
}

// List returns an ACL document; fleet.ErrNotFound.
func (p *Policies) List(id string) (Document[access.List], error) {
	s := p.now.Load()
	v, ok := s.policy.List(id)
	if !ok {
		return Document[access.List]{}, fmt.Errorf("%w: acl %s", fleet.ErrNotFound, id)
	}
	return describe(s, fleet.DocumentACL, id, v), nil
}

func describe[T any](s *snapshot, kind fleet.DocumentKind, name string, v T) Document[T] {
	d, ok := s.documents[fleet.DocumentRef(kind, name)]
	return Document[T]{Value: v, Version: d.Version, UpdatedAt: d.UpdatedAt, BuiltIn: !ok || d.Removed}
}

// read makes a snapshot of what the store holds.
func (p *Policies) read() (*snapshot, error) {
	s := &snapshot{documents: map[fleet.Ref]fleet.Document{}}
	profiles := map[string]access.Profile{}
	for _, v := range access.DefaultProfiles() {
		profiles[v.Name] = v
	}
	var lists []access.List
	var bad error
	err := store.Entities(p.c.Store, "", func(d fleet.Document) bool {
		if d.Kind != fleet.DocumentProfile && d.Kind != fleet.DocumentACL {
			return true // somebody else's
		}
		s.documents[d.Ref()] = d
		s.revision += d.Version
		if d.Removed {
			return true
		}
		switch d.Kind {
		default:
		case fleet.DocumentProfile:
			var v access.Profile
			if bad = json.Unmarshal(d.Body, &v); bad == nil {
				profiles[v.Name] = v
			}
		case fleet.DocumentACL:
			var v access.List
			if bad = json.Unmarshal(d.Body, &v); bad == nil {
				lists = append(lists, v)
			}
		}
		if bad != nil {
			bad = fmt.Errorf("decode %s %s: %w", d.Kind, d.Name, bad)
		}
		return bad == nil
	})
	if err = cmp.Or(err, bad); err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	all := make([]access.Profile, 0, len(profiles))
	for _, v := range profiles {
		all = append(all, v)
	}
	s.policy = access.NewPolicy(all, lists)
	return s, nil
}

// Reload takes up what was committed, and tells what changed. The methods that
// change documents call it themselves.
func (p *Policies) Reload() error {
	p.reload.Lock()
	defer p.reload.Unlock()
	next, err := p.read()
	if err != nil {
		return err
	}
	before := p.now.Swap(next)
	if c := differ(before, next); len(c.Profiles)+len(c.ACLs) > 0 {
		p.changes.Publish(c)
	}
	return nil
}

// differ names what changed between two snapshots.
func differ(before, after *snapshot) Change {
	c := Change{Revision: after.revision, Profiles: []string{}, ACLs: []string{}}
	for ref, d := range after.documents {
		if before.documents[ref].Version == d.Version {
			continue
		}
		switch d.Kind {
		default:
		case fleet.DocumentProfile:
			c.Profiles = append(c.Profiles, d.Name)
		case fleet.DocumentACL:
			c.ACLs = append(c.ACLs, d.Name)
		}
	}
	for _, s := range []*snapshot{before, after} {
		for _, id := range c.ACLs {
			l, _ := s.policy.List(id)
			c.Profiles = append(c.Profiles, l.AppliesTo.Profiles...)
			for _, v := range s.policy.Profiles() {
				if slices.Contains(v.Roles, id) {
					c.Profiles = append(c.Profiles, v.Name)
				}
			}
		}
	}
	slices.Sort(c.Profiles)
	slices.Sort(c.ACLs)
	c.Profiles = slices.Compact(c.Profiles)
	return c
}
