package policy

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
)

// Owns reports whether documents of a kind are of this package.
func Owns(k fleet.DocumentKind) bool {
	return k == fleet.DocumentProfile || k == fleet.DocumentACL
}

// CheckDraft reports as fleet.ErrInvalid what is wrong with documents, taken
// together with those that are there: one that cannot be read, a profile that
// names an ACL document that would not be there, a policy under which a
// registered device could not connect any more. removed go at the same time.
// Documents of kinds that Owns says no to are passed over.
func (p *Policies) CheckDraft(put []fleet.PolicyDocument, removed []fleet.DocumentName) error {
	var profiles []access.Profile
	var lists []access.List
	for _, d := range put {
		switch {
		case d.Kind == fleet.DocumentProfile:
			v, err := readDraft(d, access.Profile.Check)
			if err != nil {
				return err
			}
			v.Name = d.Name
			profiles = append(profiles, v)
		case d.Kind == fleet.DocumentACL:
			v, err := readDraft(d, access.List.Check)
			if err != nil {
				return err
			}
			v.ID = d.Name
			lists = append(lists, v)
		}
	}
	draft := p.Policy().With(profiles, lists)
	gone := func(kind fleet.DocumentKind, name string) bool {
		return slices.Contains(removed, fleet.DocumentName{Kind: kind, Name: name})
	}
	for _, v := range profiles {
		for _, id := range v.Roles {
			if _, there := draft.List(id); !there || gone(fleet.DocumentACL, id) {
				return fmt.Errorf("%w: profile %s names the acl %q, which would not be there", fleet.ErrInvalid, v.Name, id)
			}
		}
	}
	for _, v := range p.Profiles() {
		replaced := slices.ContainsFunc(profiles, func(n access.Profile) bool { return n.Name == v.Value.Name })
		if replaced || gone(fleet.DocumentProfile, v.Value.Name) {
			continue
		}
		for _, id := range v.Value.Roles {
			if gone(fleet.DocumentACL, id) {
				return fmt.Errorf("%w: acl %s cannot go: profile %s names it", fleet.ErrInvalid, id, v.Value.Name)
			}
		}
	}
	return p.tryOut(draft, nil)
}

func readDraft[T any](d fleet.PolicyDocument, check func(T) error) (T, error) {
	var v T
	if err := json.Unmarshal(d.Body, &v); err != nil {
		return v, fmt.Errorf("%w: %s %s: %w", fleet.ErrInvalid, d.Kind, d.Name, err)
	}
	if err := check(v); err != nil {
		return v, fmt.Errorf("%w: %s %s: %w", fleet.ErrInvalid, d.Kind, d.Name, err)
	}
	return v, nil
}
