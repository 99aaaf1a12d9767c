package access

import (
	"fmt"
	"slices"
	"strings"

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

// rule is one ACL with its variables replaced.
type rule struct {
	name    string // role and ACL as they are shown
	topic   string
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
// variable that is not a whole level, for a value that is not a segment and
// for a topic that is not a valid filter; the client must then be refused.
func Compile(roles []Role, vars Vars) (*Rules, error) {
	ordered := slices.Clone(roles)
	slices.SortStableFunc(ordered, func(a, b Role) int { return b.Priority - a.Priority })

	r := new(Rules)
	for _, role := range ordered {
		acls := slices.Clone(role.ACLs)
		slices.SortStableFunc(acls, func(a, b ACL) int { return b.Priority - a.Priority })
		for _, acl := range acls {
			action, literal, err := acl.Kind.action()
			if err != nil {
				return nil, fmt.Errorf("compile role %s: %w", role.Name, err)
			}
			filter, err := replace(acl.Topic, vars)
			if err != nil {
				return nil, fmt.Errorf("compile role %s, %s: %w", role.Name, acl.Kind, err)
			}
			r.byAction[action] = append(r.byAction[action], rule{
				name:    role.Name + ": " + string(acl.Kind) + " " + acl.Topic,
				topic:   filter,
				literal: literal,
				allow:   acl.Allow,
			})
		}
	}
	return r, nil
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
			if strings.Contains(level, "$") {
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
