package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/obedio/obedio/edge/internal/document"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
)

// AddProfile stores a new profile, or one in place of a built-in one.
// fleet.ErrExists when one of that name is stored, fleet.ErrInvalid (an
// *access.FieldError where one field is wrong), fleet.ErrLimit.
func (p *Policies) AddProfile(ctx context.Context, by fleet.Actor, v access.Profile) error {
	return p.putProfile(ctx, by, v, document.Fresh)
}

// ChangeProfile replaces a profile, a built-in one too. version is the one that
// the change was made on: fleet.ErrVersion. fleet.ErrNotFound, fleet.ErrInvalid.
func (p *Policies) ChangeProfile(ctx context.Context, by fleet.Actor, v access.Profile, version uint64) error {
	return p.putProfile(ctx, by, v, version)
}

func (p *Policies) putProfile(ctx context.Context, by fleet.Actor, v access.Profile, version uint64) error {
	if err := v.Check(); err != nil {
		return err
	}
	if err := p.tryOut(p.Policy().With([]access.Profile{v}, nil), v.Roles); err != nil {
		return err
	}
	return p.do(ctx, func(tx *journal.Tx) error {
		for i, id := range v.Roles {
			d, found, err := fleet.Get[fleet.Document](tx, fleet.DocumentRef(fleet.DocumentACL, id))
			if err != nil {
				return err
			}
			if !found || d.Removed {
				return &access.FieldError{Field: fmt.Sprintf("roles[%d]", i), Message: fmt.Sprintf("there is no acl %q: make it first", id)}
			}
		}
		return p.putOne(tx, by, fleet.DocumentProfile, v.Name, version, v)
	})
}

// RemoveProfile removes a stored profile; a built-in one of that name is there
// again. fleet.ErrState when a device has it and nothing takes its place, or
// when it is a built-in one that nothing replaces; fleet.ErrNotFound,
// fleet.ErrVersion.
func (p *Policies) RemoveProfile(ctx context.Context, by fleet.Actor, name string, version uint64) error {
	return p.do(ctx, func(tx *journal.Tx) error {
		if !builtIn(name) {
			users, total, err := devicesWith(tx, name)
			if err != nil {
				return err
			}
			if total > 0 {
				return fmt.Errorf("%w: profile %s is that of %s: give them another first", fleet.ErrState, name, named(users, total))
			}
		}
		return document.Remove(tx, by, written(fleet.DocumentProfile, name, version))
	})
}

// AddList stores a new ACL document. Errors as of AddProfile.
func (p *Policies) AddList(ctx context.Context, by fleet.Actor, l access.List) error {
	return p.putList(ctx, by, l, document.Fresh)
}

// ChangeList replaces an ACL document. Errors as of ChangeProfile.
func (p *Policies) ChangeList(ctx context.Context, by fleet.Actor, l access.List, version uint64) error {
	return p.putList(ctx, by, l, version)
}

func (p *Policies) putList(ctx context.Context, by fleet.Actor, l access.List, version uint64) error {
	if err := l.Check(); err != nil {
		return err
	}
	if err := p.tryOut(p.Policy().With(nil, []access.List{l}), nil); err != nil {
		return err
	}
	return p.do(ctx, func(tx *journal.Tx) error { return p.putOne(tx, by, fleet.DocumentACL, l.ID, version, l) })
}

// PutListsIn stores ACL documents inside a decision, in place of those with
// their ids, and returns the ids of those that were not there, word for word,
// already. Call Reload after the commit. Errors as of AddList.
func (p *Policies) PutListsIn(tx *journal.Tx, by fleet.Actor, lists []access.List) (put []string, err error) {
	more := 0
	for _, l := range lists {
		if err := l.Check(); err != nil {
			return nil, fmt.Errorf("acl %s: %w", l.ID, err)
		}
		d, found, err := fleet.Get[fleet.Document](tx, fleet.DocumentRef(fleet.DocumentACL, l.ID))
		if err != nil {
			return nil, err
		}
		version := document.Fresh
		if found && !d.Removed {
			version = d.Version
			if same, err := sameBody(d.Body, l); err != nil {
				return nil, err
			} else if same {
				continue
			}
		} else {
			more++
		}
		if err := document.Put(tx, by, written(fleet.DocumentACL, l.ID, version), l); err != nil {
			return nil, err
		}
		put = append(put, l.ID)
	}
	return put, document.Room(tx, more, p.c.MaxDocuments)
}

// sameBody reports whether a stored body says what v says.
func sameBody(body json.RawMessage, v any) (bool, error) {
	now, err := json.Marshal(v)
	return err == nil && string(now) == string(body), err
}

// RemoveList removes an ACL document. fleet.ErrState when a profile names it,
// fleet.ErrNotFound, fleet.ErrVersion.
func (p *Policies) RemoveList(ctx context.Context, by fleet.Actor, id string, version uint64) error {
	return p.do(ctx, func(tx *journal.Tx) error {
		var users []string
		var bad error
		err := store.TxEntities(tx.Tx, "", func(d fleet.Document) bool {
			if d.Removed || d.Kind != fleet.DocumentProfile {
				return true
			}
			var v access.Profile
			if bad = json.Unmarshal(d.Body, &v); bad == nil && slices.Contains(v.Roles, id) {
				users = append(users, v.Name)
			}
			return bad == nil
		})
		if err != nil || bad != nil {
			return fmt.Errorf("read profiles: %w", cmp.Or(err, bad))
		}
		if len(users) > 0 {
			return fmt.Errorf("%w: acl %s is named by profile %s: take it out there first", fleet.ErrState, id, named(users, len(users)))
		}
		return document.Remove(tx, by, written(fleet.DocumentACL, id, version))
	})
}

// do runs a decision and takes up what it changed.
func (p *Policies) do(ctx context.Context, decide func(*journal.Tx) error) error {
	if err := p.c.Journal.Do(ctx, decide); err != nil {
		return err
	}
	return p.Reload()
}

// putOne is document.Put with a look at how many documents there are.
func (p *Policies) putOne(tx *journal.Tx, by fleet.Actor, kind fleet.DocumentKind, name string, version uint64, v any) error {
	if version == document.Fresh {
		if err := document.Room(tx, 1, p.c.MaxDocuments); err != nil {
			return err
		}
	}
	return document.Put(tx, by, written(kind, name, version), v)
}

func written(kind fleet.DocumentKind, name string, version uint64) document.Write {
	return document.Write{Kind: kind, Name: name, Version: version, BuiltIn: kind == fleet.DocumentProfile && builtIn(name)}
}

// tryOut reports as fleet.ErrInvalid a policy under which a registered device
// could not connect any more. missing are ACL documents that the caller looks
// for itself.
func (p *Policies) tryOut(draft *access.Policy, missing []string) error {
	for _, id := range missing {
		if _, ok := draft.List(id); !ok {
			return nil
		}
	}
	var bad error
	err := store.Entities(p.c.Store, "", func(d fleet.Device) bool {
		if d.Removed {
			return true
		}
		if _, err := draft.Grant(p.c.Site, d, string(d.ID)); err != nil {
			// It may have been without rights before.
			if _, now := p.Policy().Grant(p.c.Site, d, string(d.ID)); now == nil {
				bad = fmt.Errorf("%w: device %s could not connect any more: %w", fleet.ErrInvalid, d.ID, err)
			}
		}
		return bad == nil
	})
	return cmp.Or(err, bad)
}

// devicesWith returns the first few devices that have a profile, and how many
// there are.
func devicesWith(tx *journal.Tx, profile string) (first []string, total int, err error) {
	err = store.TxEntities(tx.Tx, "", func(d fleet.Device) bool {
		if !d.Removed && d.Profile == profile {
			if total++; len(first) < 5 {
				first = append(first, string(d.ID))
			}
		}
		return true
	})
	return first, total, err
}

// named lists names for people.
func named(first []string, total int) string {
	out := strings.Join(first, ", ")
	if more := total - len(first); more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}
