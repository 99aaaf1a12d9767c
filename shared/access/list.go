package access

import "github.com/obedio/obedio/shared/fleet"

// List is one ACL document: roles, and who has them. A profile may name it
// too.
type List struct {
	ID    string `json:"id"`
	Roles []Role `json:"roles"`
	// AppliesTo says who has the roles besides the profiles that name the list.
	AppliesTo Targets `json:"applies_to,omitzero"`
	// ReplacesProfile: for the devices that AppliesTo names, the list stands in
	// place of the rules of their profile and of the lists that it names.
	ReplacesProfile bool `json:"replaces_profile,omitempty"`
	// Retain and MaxQoS stand in place of the profile's, in a list that replaces
	// it; empty and nil leave the profile's.
	Retain Retain `json:"retain,omitempty"`
	MaxQoS *byte  `json:"max_qos,omitempty"`
}

// Targets name clients. Whoever is named in any of the three is meant.
type Targets struct {
	Profiles []string           `json:"profiles,omitempty"`
	Devices  []fleet.DeviceID   `json:"devices,omitempty"`
	Types    []fleet.DeviceType `json:"types,omitempty"`
}

// Count is how many names there are.
func (t Targets) Count() int { return len(t.Profiles) + len(t.Devices) + len(t.Types) }
