package account

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/obedio/obedio/shared/fleet"
)

// UserID names a person with a UUID.
type UserID string

// User is a person who can sign in.
type User struct {
	ID UserID `json:"id"`
	// Username is what the person types, as it was given.
	Username string `json:"username"`
	// Folded is FoldUsername(Username): unique among all users.
	Folded string `json:"folded"`
	// Name is what others read.
	Name  string         `json:"name"`
	Role  Role           `json:"role"`
	Sites []fleet.SiteID `json:"sites,omitempty"`
	// PasswordHash is in the PHC form, with its parameters; empty for an External
	// user, who has none. Never shown.
	PasswordHash string `json:"password_hash"`
	// External is who signs in at an identity provider; nil for who has a password.
	External *External `json:"external,omitempty"`
	// PINHash is of the same form; empty without a PIN. Never shown.
	PINHash string `json:"pin_hash,omitempty"`
	// Disabled: cannot sign in, and what was signed in has ended.
	Disabled  bool      `json:"disabled,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Version counts the changes, from 1.
	Version uint64 `json:"version"`
}

// MaxUsername is the greatest length of a username, in bytes.
const MaxUsername = 64

// FoldUsername returns the form by which usernames are compared: composed
// (NFKC), without case. ErrInvalid for a name that cannot be a username.
func FoldUsername(s string) (string, error) {
	if s == "" || len(s) > MaxUsername || !utf8.ValidString(s) {
		return "", fmt.Errorf("%w: username has %d bytes: want 1 to %d of UTF-8", fleet.ErrInvalid, len(s), MaxUsername)
	}
	for i, r := range s {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
		case i > 0 && strings.ContainsRune("._-@+", r):
		default:
			return "", fmt.Errorf("%w: username %q: want letters, digits and . _ - @ +, the first a letter or a digit",
				fleet.ErrInvalid, s)
		}
	}
	// Upper then lower case, so that letters with several lower-case forms meet.
	folded := norm.NFKC.String(strings.ToLower(strings.ToUpper(norm.NFKC.String(s))))
	if len(folded) > 2*MaxUsername {
		return "", fmt.Errorf("%w: username %q is too long when folded", fleet.ErrInvalid, s)
	}
	return folded, nil
}

func checkDisplayName(s string) error {
	if s == "" || len(s) > 128 || !utf8.ValidString(s) {
		return fmt.Errorf("%w: name has %d bytes: want 1 to 128 of UTF-8", fleet.ErrInvalid, len(s))
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return fmt.Errorf("%w: name %q has a control character", fleet.ErrInvalid, s)
		}
	}
	return nil
}

// Rights are what u has.
func (u User) Rights() Rights { return Rights{Role: u.Role, Sites: u.Sites} }

// hasPIN reports whether u may sign in with a PIN: only crew may.
func (u User) hasPIN() bool { return u.PINHash != "" && u.Role == Crew && !u.Disabled }

// subject is u as signed in by session s, which lasts for at most that long.
func (u User) subject(s Session, most time.Duration) Subject {
	return Subject{
		Kind: KindUser, ID: string(u.ID), Name: u.Name, Username: u.Username, Role: u.Role, Sites: u.Sites,
		Session: s.ID, Person: u.ID, Until: s.CreatedAt.Add(most),
	}
}
