package account

import "time"

// SessionID names a session for lists and revocation. It is not the secret
// and opens nothing.
type SessionID string

// Session is one sign-in of a person.
type Session struct {
	ID   SessionID  `json:"id"`
	Hash SecretHash `json:"hash"`
	User UserID     `json:"user"`
	// CreatedAt is when it began: its absolute limit counts from here.
	CreatedAt time.Time `json:"created_at"`
	// SeenAt is when it was last used, to the minute: its idle limit counts
	// from here.
	SeenAt time.Time `json:"seen_at"`
	// Address and Agent tell people which of their sessions this is.
	Address string `json:"address,omitempty"`
	Agent   string `json:"agent,omitempty"`
	// Tablet is where it was made with a PIN, and with which it ends; empty for
	// one that was made with a password.
	Tablet TabletID `json:"tablet,omitempty"`
}
