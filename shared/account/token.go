package account

import (
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// TokenID names an API token. It is not the secret.
type TokenID string

// Token is how a program signs in.
type Token struct {
	ID    TokenID        `json:"id"`
	Hash  SecretHash     `json:"hash"`
	Name  string         `json:"name"`
	Role  Role           `json:"role"`
	Sites []fleet.SiteID `json:"sites,omitempty"`
	// Scopes are the only actions of the role; empty for all of them.
	Scopes []Action `json:"scopes,omitempty"`
	// Person is who made it; empty for one made on the machine itself. The
	// token ends with the person, and never may more than the person.
	Person    UserID    `json:"person,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	// ExpiresAt is zero for a token that does not expire.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// UsedAt is when it was last used, to the minute; zero if never.
	UsedAt time.Time `json:"used_at,omitzero"`
}

// Rights are what t has, as long as the person that it belongs to has them.
func (t Token) Rights() Rights { return Rights{Role: t.Role, Sites: t.Sites, Scopes: t.Scopes} }

func (t Token) subject() Subject {
	return Subject{
		Kind: KindToken, ID: string(t.ID), Name: t.Name, Role: t.Role, Sites: t.Sites, Scopes: t.Scopes,
		Person: t.Person, Until: t.ExpiresAt,
	}
}
