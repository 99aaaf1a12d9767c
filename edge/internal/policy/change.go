package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
)

// fresh is the version of a change that makes a document.
const fresh = ^uint64(0)

// AddProfile stores a new profile, or one in place of a built-in one.
// fleet.ErrExists when one of that name is stored, fleet.ErrInvalid (an
// *access.FieldError where one field is wrong), fleet.ErrLimit.
func (p *Policies) AddProfile(ctx context.Context, by fleet.Actor, v access.Profile) error {
	return p.putProfile(ctx, by, v, fresh)
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
		return p.remove(tx, by, fleet.DocumentProfile, name, version)
	})
}

// AddList stores a new ACL document. Errors as of AddProfile.
func (p *Policies) AddList(ctx context.Context, by fleet.Actor, l access.List) error {
	return p.putList(ctx, by, l, fresh)
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
		version := fresh
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
		if err := p.put(tx, by, fleet.DocumentACL, l.ID, version, l); err != nil {
			return nil, err
		}
		put = append(put, l.ID)
	}
	return put, p.room(tx, more)
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
		return p.remove(tx, by, fleet.DocumentACL, id, version)
	})
}

// do runs a decision and takes up what it changed.
func (p *Policies) do(ctx context.Context, decide func(*journal.Tx) error) error {
	if err := p.c.Journal.Do(ctx, decide); err != nil {
		return err
	}
	return p.Reload()
}

// putOne is put with a look at how many documents there are.
func (p *Policies) putOne(tx *journal.Tx, by fleet.Actor, kind fleet.DocumentKind, name string, version uint64, v any) error {
	if version == fresh {
		if err := p.room(tx, 1); err != nil {
			return err
		}
	}
	return p.put(tx, by, kind, name, version, v)
}

// put appends a document that was made on the given version.
func (p *Policies) put(tx *journal.Tx, by fleet.Actor, kind fleet.DocumentKind, name string, version uint64, v any) error {
	old, found, err := fleet.Get[fleet.Document](tx, fleet.DocumentRef(kind, name))
	if err != nil {
		return err
	}
	stored := found && !old.Removed
	switch {
	case version == fresh && stored:
		return fmt.Errorf("%w: %s %s", fleet.ErrExists, kind, name)
	case version != fresh && !stored && !(kind == fleet.DocumentProfile && builtIn(name)):
		return fmt.Errorf("%w: %s %s", fleet.ErrNotFound, kind, name)
	case version != fresh && version != old.Version:
		return fmt.Errorf("%w: %s %s has version %d, not %d", fleet.ErrVersion, kind, name, old.Version, version)
	}
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", kind, name, err)
	}
	d := fleet.Document{Kind: kind, Name: name, UpdatedAt: tx.Now(), Version: old.Version + 1, Body: body}
	if err := d.Check(); err != nil {
		return err
	}
	return tx.Append(by, fleet.PolicyChanged{Document: d})
}

// room reports as fleet.ErrLimit that there may not be so many documents more
// than before the decision.
func (p *Policies) room(tx *journal.Tx, more int) error {
	if more == 0 {
		return nil
	}
	n := 0
	err := store.TxEntities(tx.Tx, "", func(d fleet.Document) bool {
		if !d.Removed {
			n++
		}
		return true
	})
	if err == nil && n+more > p.c.MaxDocuments {
		return fmt.Errorf("%w: the site has %d policy documents and may have %d", fleet.ErrLimit, n, p.c.MaxDocuments)
	}
	return err
}

// remove appends a tombstone.
func (p *Policies) remove(tx *journal.Tx, by fleet.Actor, kind fleet.DocumentKind, name string, version uint64) error {
	old, found, err := fleet.Get[fleet.Document](tx, fleet.DocumentRef(kind, name))
	switch {
	case err != nil:
		return err
	case (!found || old.Removed) && kind == fleet.DocumentProfile && builtIn(name):
		return fmt.Errorf("%w: profile %s is built in: it can be replaced, not removed", fleet.ErrState, name)
	case !found || old.Removed:
		return fmt.Errorf("%w: %s %s", fleet.ErrNotFound, kind, name)
	case old.Version != version:
		return fmt.Errorf("%w: %s %s has version %d, not %d", fleet.ErrVersion, kind, name, old.Version, version)
	}
	return tx.Append(by, fleet.PolicyChanged{Document: fleet.Document{
		Kind: kind, Name: name, UpdatedAt: tx.Now(), Version: old.Version + 1, Removed: true,
	}})
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
