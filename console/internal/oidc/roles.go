package oidc

import (
	"fmt"
	"slices"
	"strings"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// Mapping says what a value of the role claim comes to.
type Mapping struct {
	Value string
	account.Rights
}

// ParseMapping reads "value=role" or "value=role:site,site"; a role bound to
// sites sees all of them where none is named.
func ParseMapping(policy *account.Policy, s string) (Mapping, error) {
	i := strings.LastIndex(s, "=")
	if i <= 0 {
		return Mapping{}, fmt.Errorf("%w: %q: want value=role or value=role:site,site", fleet.ErrInvalid, s)
	}
	m := Mapping{Value: s[:i]}
	name, sites, named := strings.Cut(s[i+1:], ":")
	var err error
	if m.Role, err = policy.ParseRole(name); err != nil {
		return Mapping{}, err
	}
	switch {
	case named:
		for site := range strings.SplitSeq(sites, ",") {
			m.Sites = append(m.Sites, fleet.SiteID(strings.TrimSpace(site)))
		}
	case policy.BySite(m.Role):
		m.Sites = []fleet.SiteID{account.AllSites}
	}
	return m, policy.CheckSites(m.Role, m.Sites)
}

// NoRoleError is fleet.ErrForbidden for somebody whom the provider knows, and
// to whom no role is mapped.
type NoRoleError struct{ account.External }

// Error implements error.
func (e *NoRoleError) Error() string {
	return fmt.Sprintf("%s: the identity provider knows you, but gives you no role on this console: ask its administrator", fleet.ErrForbidden)
}

// Unwrap makes it fleet.ErrForbidden.
func (e *NoRoleError) Unwrap() error { return fleet.ErrForbidden }

// claims are what the provider says of a person.
type claims map[string]any

// text is a claim that is a text.
func (c claims) text(name string) string {
	s, _ := c[name].(string)
	return s
}

// values are the texts of a claim, which may be within objects.
func (c claims) values(name string) (vs []string, there bool) {
	v, there := c[name]
	if !there {
		outer, inner, dotted := strings.Cut(name, ".")
		o, isObject := c[outer].(map[string]any)
		if !dotted || !isObject {
			return nil, false
		}
		return claims(o).values(inner)
	}
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case []any:
		for _, x := range v {
			if s, ok := x.(string); ok {
				vs = append(vs, s)
			}
		}
	}
	return vs, true
}

// person is who the claims are about, with the rights that they come to.
func (p *Provider) person(c claims) (account.ExternalSignIn, error) {
	in := account.ExternalSignIn{
		External:  account.External{Issuer: p.c.Issuer, Subject: c.text("sub")},
		Usernames: []string{c.text("preferred_username"), c.text("email")},
		Name:      c.text("name"),
	}
	has, _ := c.values(p.c.RoleClaim)
	var ok bool
	if in.Rights, ok = p.rights(has); !ok {
		return in, &NoRoleError{in.External}
	}
	return in, nil
}

// rights are those of the most powerful role that a value comes to, on the
// sites of all the values that come to it.
func (p *Provider) rights(has []string) (r account.Rights, ok bool) {
	for _, role := range account.ConsolePolicy().Roles() { // the most powerful first
		for _, m := range p.c.Roles {
			if m.Role == role && slices.Contains(has, m.Value) {
				r.Role, ok = role, true
				r.Sites = append(r.Sites, m.Sites...)
			}
		}
		if ok {
			break
		}
	}
	if slices.Contains(r.Sites, account.AllSites) {
		r.Sites = []fleet.SiteID{account.AllSites}
	}
	slices.Sort(r.Sites)
	r.Sites = slices.Compact(r.Sites)
	return r, ok
}
