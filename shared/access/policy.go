package access

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// Policy is all profiles and lists of a site at one moment. It does not
// change; With makes another one.
type Policy struct {
	profiles  map[string]Profile
	lists     map[string]*List
	byDevice  map[fleet.DeviceID][]*List
	byProfile map[string][]*List
	byType    map[fleet.DeviceType][]*List
}

// NewPolicy returns the policy of checked documents.
func NewPolicy(profiles []Profile, lists []List) *Policy {
	p := &Policy{
		profiles: map[string]Profile{}, lists: map[string]*List{}, byDevice: map[fleet.DeviceID][]*List{},
		byProfile: map[string][]*List{}, byType: map[fleet.DeviceType][]*List{},
	}
	for _, v := range profiles {
		p.profiles[v.Name] = v
	}
	ordered := slices.Clone(lists)
	slices.SortFunc(ordered, func(a, b List) int { return cmp.Compare(a.ID, b.ID) })
	for i := range ordered {
		l := &ordered[i]
		p.lists[l.ID] = l
		for _, v := range l.AppliesTo.Devices {
			p.byDevice[v] = append(p.byDevice[v], l)
		}
		for _, v := range l.AppliesTo.Profiles {
			p.byProfile[v] = append(p.byProfile[v], l)
		}
		for _, v := range l.AppliesTo.Types {
			p.byType[v] = append(p.byType[v], l)
		}
	}
	return p
}

// Profile returns the profile of that name.
func (p *Policy) Profile(name string) (Profile, bool) {
	v, ok := p.profiles[name]
	return v, ok
}

// Profiles are all profiles, by name.
func (p *Policy) Profiles() []Profile {
	return slices.SortedFunc(maps.Values(p.profiles), func(a, b Profile) int { return cmp.Compare(a.Name, b.Name) })
}

// List returns the list of that id.
func (p *Policy) List(id string) (List, bool) {
	if l, ok := p.lists[id]; ok {
		return *l, true
	}
	return List{}, false
}

// Lists are all lists, by id.
func (p *Policy) Lists() []List {
	all := make([]List, 0, len(p.lists))
	for _, l := range p.lists {
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b List) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// With returns the policy as it would be with these documents in place of
// those of the same names, or beside the others.
func (p *Policy) With(profiles []Profile, lists []List) *Policy {
	next, kept := maps.Clone(p.profiles), maps.Clone(p.lists)
	for _, v := range profiles {
		next[v.Name] = v
	}
	for i := range lists {
		kept[lists[i].ID] = &lists[i]
	}
	merged := make([]List, 0, len(kept))
	for _, l := range kept {
		merged = append(merged, *l)
	}
	return NewPolicy(slices.Collect(maps.Values(next)), merged)
}

// Grant is what one client may do: a profile and the lists about the client,
// compiled.
type Grant struct {
	Profile            string
	Rules              *Rules
	MaxQoS             byte
	MaxConnections     int
	Retain             Retain
	Rate               Rate
	ClientCertRequired bool
	SignMessages       bool
}

// Grant compiles what a device may do. The order in which its rules are asked
// is in the package comment. fleet.ErrForbidden when its profile, or a list
// that the profile names, does not exist, and fleet.ErrInvalid as of Compile:
// the client must then be refused.
func (p *Policy) Grant(site fleet.SiteID, d fleet.Device, username string) (Grant, error) {
	profile, ok := p.profiles[d.Profile]
	if !ok {
		return Grant{}, fmt.Errorf("%w: profile %s of device %s does not exist", fleet.ErrForbidden, d.Profile, d.ID)
	}
	g := Grant{
		Profile: profile.Name, MaxQoS: profile.MaxQoS, MaxConnections: profile.MaxConnections, Retain: profile.Retain,
		Rate: profile.Rate, ClientCertRequired: profile.ClientCertRequired, SignMessages: profile.SignMessages,
	}
	origins, err := p.Roles(d)
	if err != nil {
		return Grant{}, err
	}
	g.replace(p.byDevice[d.ID])
	roles := make([]Role, len(origins))
	for i, o := range origins {
		roles[i] = o.Role
	}
	if g.Rules, err = Compile(roles, DeviceVars(site, d, username)); err != nil {
		return Grant{}, fmt.Errorf("compile the rights of %s: %w", d.ID, err)
	}
	return g, nil
}

// Origin is a role of a client with where it comes from.
type Origin struct {
	// List is the id of the ACL document; empty for the profile's own rules.
	List string
	Role Role
}

// Roles returns the roles of a device in the order in which they are asked,
// uncompiled. fleet.ErrForbidden as of Grant.
func (p *Policy) Roles(d fleet.Device) ([]Origin, error) {
	profile, ok := p.profiles[d.Profile]
	if !ok {
		return nil, fmt.Errorf("%w: profile %s of device %s does not exist", fleet.ErrForbidden, d.Profile, d.ID)
	}
	var roles []Origin
	taken := map[string]bool{}
	take := func(lists ...*List) {
		for _, l := range lists {
			if taken[l.ID] {
				continue
			}
			taken[l.ID] = true
			for _, r := range l.Roles {
				roles = append(roles, Origin{l.ID, r})
			}
		}
	}
	own := p.byDevice[d.ID]
	take(own...)
	take(p.byProfile[profile.Name]...)
	take(p.byType[d.Type]...)
	if !slices.ContainsFunc(own, func(l *List) bool { return l.ReplacesProfile }) {
		for _, id := range profile.Roles {
			l, ok := p.lists[id]
			if !ok {
				return nil, fmt.Errorf("%w: acl %s of profile %s does not exist", fleet.ErrForbidden, id, profile.Name)
			}
			take(l)
		}
		roles = append(roles, Origin{Role: Role{Name: "profile " + profile.Name, ACLs: profile.ACL}})
		if len(profile.Relay) > 0 {
			roles = append(roles, Origin{Role: relayRole(profile.Relay)})
		}
	}
	slices.SortStableFunc(roles, func(a, b Origin) int { return b.Role.Priority - a.Role.Priority })
	return roles, nil
}

// replace puts Retain and MaxQoS of the lists that replace the profile in its
// place, the narrowest of each.
func (g *Grant) replace(lists []*List) {
	var retain Retain
	var qos *byte
	for _, l := range lists {
		if !l.ReplacesProfile {
			continue
		}
		if l.Retain != "" && (retain == "" || l.Retain.width() < retain.width()) {
			retain = l.Retain
		}
		if l.MaxQoS != nil && (qos == nil || *l.MaxQoS < *qos) {
			qos = l.MaxQoS
		}
	}
	if retain != "" {
		g.Retain = retain
	}
	if qos != nil {
		g.MaxQoS = *qos
	}
}

func (r Retain) width() int {
	switch r {
	case RetainAnything:
		return 2
	case RetainStatus, "":
		return 1
	case RetainNothing:
	}
	return 0
}

// Attempt is something that a client does or would do.
type Attempt struct {
	Action Action
	// Topic is a name for Send and Receive, a filter otherwise.
	Topic string
	// QoS and Retain of a message that it sends.
	QoS    byte
	Retain bool
}

// What Decision.Rule says when a limit of the profile has decided.
const (
	RuleMaxQoS = "max_qos"
	RuleRetain = "retain"
)

// Decide answers as the broker does: the rules first, then, for a message that
// the client sends, its QoS and whether it may be retained.
func (g Grant) Decide(a Attempt) Decision {
	d := g.Rules.Decide(a.Action, a.Topic)
	if !d.Allowed || a.Action != Send {
		return d
	}
	if a.QoS > g.MaxQoS {
		return Decision{Rule: RuleMaxQoS}
	}
	if a.Retain {
		// A name outside the grammar is the zero Topic.
		if t, _ := topic.Parse(a.Topic); !g.Retain.Allows(t) {
			return Decision{Rule: RuleRetain}
		}
	}
	return d
}

// Equal reports whether both let a client do the same, for the same reasons.
func (g Grant) Equal(o Grant) bool {
	return g.Rules.Equal(o.Rules) && g.MaxQoS == o.MaxQoS && g.MaxConnections == o.MaxConnections &&
		g.Retain == o.Retain && g.Rate == o.Rate && g.ClientCertRequired == o.ClientCertRequired && g.SignMessages == o.SignMessages
}
