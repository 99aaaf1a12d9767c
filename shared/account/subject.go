package account

import (
	"slices"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// SubjectKind says by which way a subject is known.
type SubjectKind string

// The kinds of subjects.
const (
	// KindNone: nobody is signed in.
	KindNone SubjectKind = "none"
	// KindUser: a person with a session.
	KindUser SubjectKind = "user"
	// KindToken: a program with an API token.
	KindToken SubjectKind = "token"
	// KindLocal: whoever may open the Unix socket in the data directory.
	KindLocal SubjectKind = "local"
)

// Subject is who acts, as far as permissions go. The zero value is nobody.
type Subject struct {
	Kind SubjectKind
	// ID is the UserID or the TokenID; "local" for the Unix socket.
	ID string
	// Name is the display name, or the token's name.
	Name string
	// Username is what a KindUser signs in with.
	Username string
	Role     Role
	// Sites are those that a role bound to sites sees; AllSites for all.
	Sites []fleet.SiteID
	// Scopes are the only actions of the role that a token was given; empty for
	// all of them.
	Scopes []Action
	// Session is the session of a KindUser.
	Session SessionID
	// Person is the user that a token belongs to, if any.
	Person UserID
	// Until is when the session or the token ends by itself; zero for never.
	Until time.Time
}

// Resource is what an action is about. Site is empty when the action is not
// about one site (a list, the program itself): then the role alone decides,
// and a list shows only sites for which Policy.Sees is true.
type Resource struct {
	Site fleet.SiteID
}

// Local is the subject behind the Unix socket in the data directory: the file
// system's permissions are its sign-in.
func (p *Policy) Local() Subject {
	return Subject{Kind: KindLocal, ID: "local", Name: "local", Role: p.administrator}
}

// Can reports whether s may do a on r. It is the only function that grants
// anything.
func (p *Policy) Can(s Subject, a Action, r Resource) bool {
	switch s.Kind {
	case KindUser, KindToken, KindLocal:
	case KindNone:
		return false
	default:
		return false
	}
	if !p.has(s.Rights(), a) {
		return false
	}
	return r.Site == "" || p.Sees(s, r.Site)
}

// Sees reports whether site is among those of s. It grants nothing by itself:
// a list is first allowed by Can, then narrowed by Sees.
func (p *Policy) Sees(s Subject, site fleet.SiteID) bool {
	if !p.bySite[s.Role] {
		return p.grants[s.Role] != nil
	}
	return slices.Contains(s.Sites, AllSites) || slices.Contains(s.Sites, site)
}

// Rights are what s has.
func (s Subject) Rights() Rights { return Rights{Role: s.Role, Sites: s.Sites, Scopes: s.Scopes} }

// Known reports whether somebody is signed in.
func (s Subject) Known() bool {
	return s.Kind == KindUser || s.Kind == KindToken || s.Kind == KindLocal
}

// Key names the subject for things that are bound to it, such as an
// idempotency key: the same person or token has the same key for ever.
func (s Subject) Key() string { return string(s.Kind) + ":" + s.ID }

// Actor is the subject as records name it. A token acts in its own name, with
// the person that it belongs to beside it.
func (s Subject) Actor() fleet.Actor {
	switch s.Kind {
	case KindUser:
		return fleet.Actor{Kind: fleet.ActorUser, ID: s.ID, Name: s.Name}
	case KindToken:
		return fleet.Actor{Kind: fleet.ActorUser, ID: s.ID, PersonID: string(s.Person), Name: s.Name}
	case KindLocal:
		return fleet.Actor{Kind: fleet.ActorSystem, ID: "local", Name: s.Name}
	case KindNone:
	}
	return fleet.Actor{Kind: fleet.ActorSystem, ID: "nobody"}
}
