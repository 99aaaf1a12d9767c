package access

import (
	"fmt"
	"math"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// What a document may hold.
const (
	maxListRoles   = 32
	maxACLs        = 512
	maxTargets     = 2000
	maxPriority    = 1_000_000
	maxRelay       = 256
	maxConnections = 100
	// Reporting intervals in seconds: faster is no interval but a stream, and
	// slower than a week is no report.
	minReporting, maxReporting = 5, 7 * 24 * 3600
)

// FieldError says which field of a document breaks a rule, and what to write
// instead. It is a fleet.ErrInvalid.
type FieldError struct {
	// Field is a path such as acl_pattern[2].topic.
	Field   string
	Message string
}

// Error implements error.
func (e *FieldError) Error() string {
	return fmt.Sprintf("%v: %s: %s", fleet.ErrInvalid, e.Field, e.Message)
}

// Unwrap returns fleet.ErrInvalid.
func (e *FieldError) Unwrap() error { return fleet.ErrInvalid }

func wrong(field, format string, args ...any) error {
	return &FieldError{Field: field, Message: fmt.Sprintf(format, args...)}
}

// anyone stands for every client where rules are checked before there is one.
var anyone = Vars{ClientID: "client", Username: "user", DeviceID: "device", Site: "site", Room: "room", Type: "type"}

// Check returns a *FieldError for the first field that breaks a rule. That the
// lists of Roles exist is not its business.
func (p Profile) Check() error {
	switch {
	case !fleet.ValidSegment(p.Name):
		return wrong("profile_name", "want 1 to %d of A-Z a-z 0-9 . _ -", fleet.MaxSegment)
	case len(p.Roles) > maxListRoles:
		return wrong("roles", "%d: want at most %d ACL documents", len(p.Roles), maxListRoles)
	case p.MaxQoS > 2:
		return wrong("max_qos", "%d: want 0, 1 or 2", p.MaxQoS)
	case p.MaxConnections < 1 || p.MaxConnections > maxConnections:
		return wrong("max_connections", "%d: want 1 to %d", p.MaxConnections, maxConnections)
	case p.ReportingInterval != 0 && (p.ReportingInterval < minReporting || p.ReportingInterval > maxReporting):
		return wrong("reporting_interval_s", "%d: want %d to %d seconds, or 0 for that of the type", p.ReportingInterval, minReporting, maxReporting)
	case len(p.Relay) > maxRelay:
		return wrong("relay", "%d: want at most %d devices", len(p.Relay), maxRelay)
	}
	for name, v := range map[string]float64{"rate.messages_per_second": p.Rate.Messages, "rate.bytes_per_second": p.Rate.Bytes} {
		if v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
			return wrong(name, "%v: want more than 0, or 0 for the broker's default", v)
		}
	}
	if err := p.Retain.check("retain"); err != nil {
		return err
	}
	if err := segments("roles", p.Roles); err != nil {
		return err
	}
	if err := segments("relay", p.Relay); err != nil {
		return err
	}
	return checkACLs("acl_pattern", p.ACL)
}

// Check returns a *FieldError for the first field that breaks a rule.
func (l List) Check() error {
	switch {
	case !fleet.ValidSegment(l.ID):
		return wrong("id", "want 1 to %d of A-Z a-z 0-9 . _ -", fleet.MaxSegment)
	case len(l.Roles) > maxListRoles:
		return wrong("roles", "%d: want at most %d", len(l.Roles), maxListRoles)
	case l.AppliesTo.Count() > maxTargets:
		return wrong("applies_to", "%d names: want at most %d; give the roles to a profile or a type", l.AppliesTo.Count(), maxTargets)
	case l.ReplacesProfile && len(l.AppliesTo.Devices) == 0:
		return wrong("replaces_profile", "it is about the devices of applies_to.devices: name them")
	case !l.ReplacesProfile && l.Retain != "":
		return wrong("retain", "only a document that replaces the profile has it: set replaces_profile")
	case !l.ReplacesProfile && l.MaxQoS != nil:
		return wrong("max_qos", "only a document that replaces the profile has it: set replaces_profile")
	case l.MaxQoS != nil && *l.MaxQoS > 2:
		return wrong("max_qos", "%d: want 0, 1 or 2", *l.MaxQoS)
	}
	if err := l.Retain.check("retain"); err != nil {
		return err
	}
	if err := segments("applies_to.profiles", l.AppliesTo.Profiles); err != nil {
		return err
	}
	if err := segments("applies_to.devices", l.AppliesTo.Devices); err != nil {
		return err
	}
	if err := segments("applies_to.types", l.AppliesTo.Types); err != nil {
		return err
	}
	for i, role := range l.Roles {
		field := fmt.Sprintf("roles[%d]", i)
		if role.Name == "" || len(role.Name) > 128 {
			return wrong(field+".rolename", "want 1 to 128 bytes")
		}
		if role.Priority < -maxPriority || role.Priority > maxPriority {
			return wrong(field+".priority", "%d: want %d to %d", role.Priority, -maxPriority, maxPriority)
		}
		if err := checkACLs(field+".acls", role.ACLs); err != nil {
			return err
		}
	}
	return nil
}

func (r Retain) check(field string) error {
	switch r {
	case "", RetainNothing, RetainStatus, RetainAnything:
		return nil
	}
	return wrong(field, "%q: want nothing, status or anything", string(r))
}

func segments[T ~string](field string, names []T) error {
	for i, n := range names {
		if !fleet.ValidSegment(string(n)) {
			return wrong(fmt.Sprintf("%s[%d]", field, i), "want 1 to %d of A-Z a-z 0-9 . _ -", fleet.MaxSegment)
		}
	}
	return nil
}

func checkACLs(field string, acls []ACL) error {
	if len(acls) > maxACLs {
		return wrong(field, "%d rules: want at most %d", len(acls), maxACLs)
	}
	for i, acl := range acls {
		at := fmt.Sprintf("%s[%d]", field, i)
		if _, _, err := acl.Kind.action(); err != nil {
			return wrong(at+".acltype", "want one of %v", Kinds())
		}
		if acl.Priority < -maxPriority || acl.Priority > maxPriority {
			return wrong(at+".priority", "%d: want %d to %d", acl.Priority, -maxPriority, maxPriority)
		}
		if err := acl.Check(); err != nil {
			return wrong(at+".topic", "%s", strings.TrimPrefix(err.Error(), fleet.ErrInvalid.Error()+": "))
		}
	}
	return nil
}

// Check reports as fleet.ErrInvalid a rule that no client could have, and one
// that would never apply: a denying one would only seem to protect.
func (a ACL) Check() error {
	_, r, err := a.compile(anyone)
	if err != nil {
		return err
	}
	if group, _, _ := topic.SplitShare(r.topic); group != "" {
		return fmt.Errorf("%w: %q: $share/{group}/ is taken off before rules are asked: write what follows it", fleet.ErrInvalid, a.Topic)
	}
	return nil
}
