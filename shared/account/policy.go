package account

import (
	"fmt"
	"maps"
	"slices"

	"github.com/obedio/obedio/shared/fleet"
)

// Role is what a person or a program is on one of the two programs.
type Role string

// The roles. Viewer exists on both programs.
const (
	Admin  Role = "admin"  // hub: everything
	Chief  Role = "chief"  // hub: devices, rooms, provisioning, crew
	Crew   Role = "crew"   // hub: answers calls
	Viewer Role = "viewer" // hub and console: reads

	Owner   Role = "owner"   // console: everything
	Manager Role = "manager" // console: works on a set of sites
)

// AllSites in a list of sites stands for every site, now and later.
const AllSites fleet.SiteID = "*"

// Policy is the table role → actions of one program. It does not change after
// HubPolicy or ConsolePolicy has made it.
type Policy struct {
	program       string
	roles         []Role // the most powerful first
	administrator Role
	grants        map[Role]map[Action]bool
	// bySite are the roles that see only the sites of their list.
	bySite map[Role]bool
}

// HubPolicy is the table of the hub.
func HubPolicy() *Policy {
	viewer := []Action{
		RequestsRead, DevicesRead, RoomsRead, CommandsRead, JobsRead, CrewRead, AlertsRead,
		EventsRead, TrafficRead, SyncRead, SystemRead, SessionsOwn,
	}
	crew := append(slices.Clone(viewer),
		RequestsWrite, RequestsAccept, RequestsComplete, RequestsCancel, RequestsDelegate, AlertsAck)
	chief := append(slices.Clone(crew),
		DevicesWrite, RoomsWrite, CommandsSend, CommandsCancel, CrewWrite, TabletsWrite, ProvisionWrite,
		TrafficPayloads, TrafficPublish, SecurityRead, SyncControl, UsersRead)
	return newPolicy("hub", []Role{Admin, Chief, Crew, Viewer}, nil, map[Role][]Action{
		Admin:  without(Actions(), SitesRead, SitesWrite, TemplatesRead, TemplatesWrite, OrdersRead, OrdersWrite),
		Chief:  chief,
		Crew:   crew,
		Viewer: viewer,
	})
}

// ConsolePolicy is the table of the console. Managers and viewers see the
// sites of their list only.
func ConsolePolicy() *Policy {
	viewer := []Action{
		RequestsRead, DevicesRead, RoomsRead, CommandsRead, JobsRead, OrdersRead, AlertsRead,
		EventsRead, TrafficRead, SyncRead, SystemRead, SitesRead, TemplatesRead, SessionsOwn,
	}
	manager := append(slices.Clone(viewer),
		DevicesWrite, RoomsWrite, CommandsSend, CommandsCancel, OrdersWrite, AlertsAck,
		ProvisionWrite, SecurityRead, SyncControl)
	return newPolicy("console", []Role{Owner, Manager, Viewer}, []Role{Manager, Viewer}, map[Role][]Action{
		Owner: without(Actions(), RequestsWrite, RequestsAccept, RequestsComplete, RequestsCancel,
			RequestsDelegate, CrewRead, CrewWrite, TabletsWrite, TrafficPayloads, TrafficPublish),
		Manager: manager,
		Viewer:  viewer,
	})
}

func newPolicy(program string, roles, bySite []Role, table map[Role][]Action) *Policy {
	p := &Policy{
		program: program, roles: roles, administrator: roles[0],
		grants: map[Role]map[Action]bool{}, bySite: map[Role]bool{},
	}
	for role, actions := range table {
		p.grants[role] = map[Action]bool{}
		for _, a := range actions {
			p.grants[role][a] = true
		}
	}
	for _, r := range bySite {
		p.bySite[r] = true
	}
	return p
}

func without(all []Action, not ...Action) []Action {
	return slices.DeleteFunc(all, func(a Action) bool { return slices.Contains(not, a) })
}

// Program is "hub" or "console".
func (p *Policy) Program() string { return p.program }

// Roles are the program's roles, the most powerful first.
func (p *Policy) Roles() []Role { return slices.Clone(p.roles) }

// Administrator is the role that may do everything on the program.
func (p *Policy) Administrator() Role { return p.administrator }

// Actions are what role may do, sorted; nil for a role of another program.
func (p *Policy) Actions(role Role) []Action {
	return slices.Sorted(maps.Keys(p.grants[role]))
}

// ActionsOf are what s may do, on some site at least, sorted.
func (p *Policy) ActionsOf(s Subject) []Action {
	return slices.DeleteFunc(p.Actions(s.Role), func(a Action) bool { return !p.Can(s, a, Resource{}) })
}

// BySite reports whether role sees only the sites of its list.
func (p *Policy) BySite(role Role) bool { return p.bySite[role] }

// ParseRole returns s as a role of the program, or ErrInvalid.
func (p *Policy) ParseRole(s string) (Role, error) {
	if slices.Contains(p.roles, Role(s)) {
		return Role(s), nil
	}
	return "", fmt.Errorf("%w: role %q: want one of %v", fleet.ErrInvalid, s, p.roles)
}

// CheckSites reports as ErrInvalid a list of sites that does not go with role:
// a role that is bound to sites needs at least one (or AllSites), any other
// role has none.
func (p *Policy) CheckSites(role Role, sites []fleet.SiteID) error {
	if !p.bySite[role] {
		if len(sites) > 0 {
			return fmt.Errorf("%w: role %s has no list of sites", fleet.ErrInvalid, role)
		}
		return nil
	}
	if len(sites) == 0 {
		return fmt.Errorf("%w: role %s needs sites: name them, or %q for all", fleet.ErrInvalid, role, AllSites)
	}
	if len(sites) > 10_000 {
		return fmt.Errorf("%w: %d sites: want at most 10000, or %q", fleet.ErrInvalid, len(sites), AllSites)
	}
	for _, s := range sites {
		if s == AllSites {
			continue
		}
		if _, err := fleet.ParseSiteID(string(s)); err != nil {
			return err
		}
	}
	return nil
}

// Rights are what a person, a program or a subject has: a role, the sites that
// a role bound to sites sees, and the actions to which it is narrowed.
type Rights struct {
	Role  Role
	Sites []fleet.SiteID
	// Scopes are the only actions of the role; empty for all of them.
	Scopes []Action
}

// Equal reports whether r and other are the same.
func (r Rights) Equal(other Rights) bool {
	return r.Role == other.Role && slices.Equal(r.Sites, other.Sites) && slices.Equal(r.Scopes, other.Scopes)
}

// has reports whether r has a, on some site at least.
func (p *Policy) has(r Rights, a Action) bool {
	return p.grants[r.Role][a] && (len(r.Scopes) == 0 || slices.Contains(r.Scopes, a))
}

// Covers reports whether whoever has mine may hand out, change or take away
// other: nobody gives away more than they have.
func (p *Policy) Covers(mine, other Rights) bool {
	for a := range p.grants[other.Role] {
		if p.has(other, a) && !p.has(mine, a) {
			return false
		}
	}
	if !p.bySite[mine.Role] {
		return true
	}
	if !p.bySite[other.Role] {
		return false
	}
	if slices.Contains(mine.Sites, AllSites) {
		return true
	}
	for _, s := range other.Sites {
		if !slices.Contains(mine.Sites, s) {
			return false
		}
	}
	return true
}

// checkRights reports as ErrInvalid a role of another program, a list of sites
// that does not go with the role, or a scope that the role does not have.
func (p *Policy) checkRights(r Rights) error {
	if _, err := p.ParseRole(string(r.Role)); err != nil {
		return err
	}
	if r.Scopes != nil && len(r.Scopes) == 0 {
		return fmt.Errorf("%w: scopes: name at least one action, or leave them out for the whole role", fleet.ErrInvalid)
	}
	for _, a := range r.Scopes {
		if !p.grants[r.Role][a] {
			return fmt.Errorf("%w: scope %q: role %s may do %v", fleet.ErrInvalid, a, r.Role, p.Actions(r.Role))
		}
	}
	return p.CheckSites(r.Role, r.Sites)
}
