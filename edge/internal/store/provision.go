package store

import (
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// TokenState says what has become of a provisioning token.
type TokenState string

// The states.
const (
	TokenOpen    TokenState = "open"
	TokenUsed    TokenState = "used"
	TokenExpired TokenState = "expired"
	TokenRevoked TokenState = "revoked"
)

// Token is the right to join the site as one device, once: what a device brings
// (a token or a short code), or a window for the hardware that a label names.
type Token struct {
	ID string `json:"id"`
	// Secret and Code are the HMACs of what the device brings; empty for a window.
	Secret []byte `json:"secret,omitempty"`
	Code   []byte `json:"code,omitempty"`
	// Hardware and Key are what the device's label says: its hardware id, and the
	// SHA-256 of its public key in hexadecimal digits.
	Hardware string `json:"hardware_id,omitempty"`
	Key      string `json:"key_hash,omitempty"`

	// Device is the id that the device gets; empty leaves the choice to it.
	Device  fleet.DeviceID   `json:"device_id,omitempty"`
	Type    fleet.DeviceType `json:"type"`
	Room    fleet.RoomID     `json:"room"`
	Name    string           `json:"name,omitempty"`
	Profile string           `json:"security_profile,omitempty"`
	// Replaces: Device is registered, and another piece of hardware takes its
	// place.
	Replaces bool `json:"replaces,omitempty"`

	CreatedBy fleet.Actor `json:"created_by"`
	CreatedAt time.Time   `json:"created_at"`
	ExpiresAt time.Time   `json:"expires_at"`

	State  TokenState `json:"state"`
	UsedAt time.Time  `json:"used_at,omitzero"`
	// What came of it: the device, the SHA-256 of its public key, and the serial
	// number of its certificate.
	Claimed    fleet.DeviceID `json:"claimed_device_id,omitempty"`
	ClaimedKey string         `json:"claimed_key,omitempty"`
	Serial     string         `json:"serial,omitempty"`
}

// PutToken stores t.
func (t *Tx) PutToken(v Token) error { return t.setJSON(key(tableToken, v.ID), v) }

// Token reads a token inside a transaction; false when there is none.
func (t *Tx) Token(id string) (Token, bool, error) {
	return getJSON[Token](t.get, key(tableToken, id))
}

// Token returns a token; false when there is none.
func (s *Store) Token(id string) (Token, bool, error) {
	return getJSON[Token](s.get, key(tableToken, id))
}

// DeleteToken forgets a token.
func (t *Tx) DeleteToken(id string) { t.set(key(tableToken, id), nil) }

// Tokens returns all tokens in the order of their ids, which is that of their
// making.
func (s *Store) Tokens() ([]Token, error) { return all[Token](s, tableToken) }

// SigningKey is the key with which a device signs its messages.
type SigningKey struct {
	Key       []byte    `json:"key"`
	ChangedAt time.Time `json:"changed_at"`
}

// PutSigningKey stores k.
func (t *Tx) PutSigningKey(id fleet.DeviceID, k SigningKey) error {
	return t.setJSON(key(tableSigning, string(id)), k)
}

// DeleteSigningKey forgets a device's key.
func (t *Tx) DeleteSigningKey(id fleet.DeviceID) { t.set(key(tableSigning, string(id)), nil) }

// SigningKey reads a device's key inside a transaction.
func (t *Tx) SigningKey(id fleet.DeviceID) (SigningKey, bool, error) {
	return getJSON[SigningKey](t.get, key(tableSigning, string(id)))
}

// SigningKey returns a device's key; false when it has none.
func (s *Store) SigningKey(id fleet.DeviceID) (SigningKey, bool, error) {
	return getJSON[SigningKey](s.get, key(tableSigning, string(id)))
}
