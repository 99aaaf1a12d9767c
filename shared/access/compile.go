package access

import (
	"fmt"
	"slices"
	"strings"
	"unique"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// Vars are what the variables in rules stand for. A value that a rule uses must
// be a segment (fleet.ValidSegment): anything else could widen the rule.
type Vars struct {
	ClientID string
	Username string
	DeviceID string
	Site     string
	Room     string
	Type     string
}

// DeviceVars are the variables of a registered device whose client id is its
// device id.
func DeviceVars(site fleet.SiteID, d fleet.Device, username string) Vars {
	return Vars{
		ClientID: string(d.ID), Username: username, DeviceID: string(d.ID),
		Site: string(site), Room: string(d.Room), Type: string(d.Type),
	}
}

// MaxRules is the greatest number of rules of one client: each message asks
// them in turn.
const MaxRules = 1024

// rule is one ACL with its variables replaced.
type rule struct {
	name    string // role and ACL as they are shown
	role    string
	topic   string
	written string // the topic before its variables were replaced
	kind    Kind
	literal bool
	allow   bool
}

// Rules are the compiled rules of one client, immutable.
type Rules struct {
	// byAction holds, for each action, the rules about it in the order in
	// which they are asked.
	byAction [4][]rule
}

// Compile puts the rules of all roles in order and replaces their variables.
// It returns fleet.ErrInvalid for an unknown ACL type or variable, for a
// variable that is not a whole level, for a value that is not a segment, for a
// topic that is not a valid filter, and for more than MaxRules; the client must
// then be refused.
func Compile(roles []Role, vars Vars) (*Rules, error) {
	ordered := slices.Clone(roles)
	slices.SortStableFunc(ordered, func(a, b Role) int { return b.Priority - a.Priority })

	r, count := new(Rules), 0
	for _, role := range ordered {
		acls := slices.Clone(role.ACLs)
		slices.SortStableFunc(acls, func(a, b ACL) int { return b.Priority - a.Priority })
		for _, acl := range acls {
			action, one, err := acl.compile(vars)
			if err != nil {
				return nil, fmt.Errorf("compile role %s, %s: %w", role.Name, acl.Kind, err)
			}
			if count++; count > MaxRules {
				return nil, fmt.Errorf("%w: more than %d rules for one client", fleet.ErrInvalid, MaxRules)
			}
			// A thousand clients have the same few names.
			one.role, one.name = role.Name, unique.Make(role.Name+": "+string(acl.Kind)+" "+acl.Topic).Value()
			r.byAction[action] = append(r.byAction[action], one)
		}
	}
	for a, rules := range r.byAction {
		r.byAction[a] = append(make([]rule, 0, len(rules)), rules...) // of its size: it stays as long as the client
	}
	return r, nil
}

// compile returns the rule that an ACL is for one client, but for its name.
func (a ACL) compile(vars Vars) (Action, rule, error) {
	action, literal, err := a.Kind.action()
	if err != nil {
		return 0, rule{}, err
	}
	filter, err := replace(a.Topic, vars)
	if err != nil {
		return 0, rule{}, err
	}
	if action == Send && strings.HasPrefix(filter, topic.Sys+"/") {
		return 0, rule{}, fmt.Errorf("%w: %q: nobody publishes below %s", fleet.ErrInvalid, a.Topic, topic.Sys)
	}
	return action, rule{topic: filter, written: a.Topic, kind: a.Kind, literal: literal, allow: a.Allow}, nil
}

// Equal reports whether both decide alike on everything, for the same reasons.
func (r *Rules) Equal(o *Rules) bool {
	if r == nil || o == nil {
		return r == o
	}
	for a := range r.byAction {
		if !slices.Equal(r.byAction[a], o.byAction[a]) {
			return false
		}
	}
	return true
}

// Beside returns rules that ask those of o first which r does not have: what a
// client may do where it was, beside what it may do where it is. Those rules are
// about the old place only, since what is not about a place is in r too.
func (r *Rules) Beside(o *Rules) *Rules {
	if r == nil || o == nil {
		return r
	}
	out := new(Rules)
	for a := range r.byAction {
		for _, one := range o.byAction[a] {
			if !slices.Contains(r.byAction[a], one) {
				out.byAction[a] = append(out.byAction[a], one)
			}
		}
		out.byAction[a] = append(out.byAction[a], r.byAction[a]...)
	}
	return out
}

// Effective is one rule of a client as it is asked.
type Effective struct {
	Role string `json:"role"`
	Kind Kind   `json:"acltype"`
	// Topic is the filter with its variables replaced, Written as it stands in
	// its role.
	Topic   string `json:"topic"`
	Written string `json:"written"`
	Allow   bool   `json:"allow"`
}

// List returns the rules about an action in the order in which they are asked.
func (r *Rules) List(a Action) []Effective {
	list := []Effective{}
	if r == nil || int(a) >= len(r.byAction) {
		return list
	}
	for _, one := range r.byAction[a] {
		list = append(list, Effective{Role: one.role, Kind: one.kind, Topic: one.topic, Written: one.written, Allow: one.allow})
	}
	return list
}

// replace returns the filter with its variables replaced and checked.
func replace(filter string, vars Vars) (string, error) {
	if !strings.Contains(filter, "$") {
		return filter, topic.CheckFilter(filter)
	}
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		name, ok := strings.CutPrefix(level, "${")
		if !ok {
			// A first level that begins with $ is for CheckFilter to judge.
			if strings.Contains(level, "$") && (i > 0 || level[0] != '$') {
				return "", fmt.Errorf("%w: %q: a variable is a whole level", fleet.ErrInvalid, filter)
			}
			continue
		}
		value, ok := vars.lookup(name)
		if !ok {
			return "", fmt.Errorf("%w: %q: unknown variable, or not a whole level", fleet.ErrInvalid, filter)
		}
		if !fleet.ValidSegment(value) {
			return "", fmt.Errorf("%w: %q: the value %q of %s cannot be a level", fleet.ErrInvalid, filter, value, level)
		}
		levels[i] = value
	}
	filter = strings.Join(levels, "/")
	return filter, topic.CheckFilter(filter)
}

// lookup finds a variable by its name with the closing brace.
func (v Vars) lookup(name string) (value string, ok bool) {
	switch name {
	case "clientid}":
		return v.ClientID, true
	case "username}":
		return v.Username, true
	case "device_id}":
		return v.DeviceID, true
	case "site}":
		return v.Site, true
	case "room}":
		return v.Room, true
	case "type}":
		return v.Type, true
	}
	return "", false
}
