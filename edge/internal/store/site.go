package store

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Identity says whose store this is.
type Identity struct {
	Site fleet.SiteID `json:"site_id"`
	// Epoch changes whenever the store is new or restored.
	Epoch     fleet.Epoch `json:"epoch"`
	InstallID string      `json:"install_id"`
	CreatedAt time.Time   `json:"created_at"`
}

// Identity returns the stored identity; false in a new store.
func (s *Store) Identity() (Identity, bool, error) {
	return getJSON[Identity](s.get, key(tableMeta, "identity"))
}

// PutIdentity stores i.
func (t *Tx) PutIdentity(i Identity) error { return t.setJSON(key(tableMeta, "identity"), i) }

// Setting reads what PutSetting stored under name; false when there is
// nothing.
func Setting[T any](s *Store, name string) (T, bool, error) {
	return getJSON[T](s.get, key(tableMeta, "setting", name))
}

// PutSetting stores v under name.
func (t *Tx) PutSetting(name string, v any) error {
	return t.setJSON(key(tableMeta, "setting", name), v)
}

// TxSetting is Setting inside a transaction.
func TxSetting[T any](t *Tx, name string) (T, bool, error) {
	return getJSON[T](t.get, key(tableMeta, "setting", name))
}

// Link reads what PutLink stored under name; false when there is nothing.
func Link[T any](s *Store, name string) (T, bool, error) {
	return getJSON[T](s.get, key(tableLink, name))
}

// TxLink is Link inside a transaction.
func TxLink[T any](t *Tx, name string) (T, bool, error) {
	return getJSON[T](t.get, key(tableLink, name))
}

// PutLink stores what the uplink must not forget.
func (t *Tx) PutLink(name string, v any) error { return t.setJSON(key(tableLink, name), v) }

// Algorithm says how a password becomes a verifier.
type Algorithm string

// The algorithms.
const (
	// PBKDF2SHA256 (RFC 8018): what a credential without a name has.
	PBKDF2SHA256 Algorithm = ""
	// PBKDF2SHA512 is also Mosquitto's $7$.
	PBKDF2SHA512 Algorithm = "pbkdf2-sha512"
	// SaltedSHA512 is Mosquitto's old $6$: one SHA-512 of password and salt.
	SaltedSHA512 Algorithm = "sha512"
)

// MaxIterations of a credential, so that an imported one cannot keep the hub
// busy whenever its device connects: about half a second of a small board's
// core.
const MaxIterations = 500_000

// Credential is what is known of a device's password.
type Credential struct {
	Algorithm Algorithm `json:"algorithm,omitempty"`
	Salt      []byte    `json:"salt"`
	Verifier  []byte    `json:"verifier"`
	// Iterations is 1 for a password that the hub made: it is random and long,
	// and a thousand devices must be able to come back at once. SaltedSHA512 has
	// no use for it.
	Iterations int       `json:"iterations"`
	ChangedAt  time.Time `json:"changed_at"`
}

// Check reports as fleet.ErrInvalid a credential that no password could be
// compared with.
func (c Credential) Check() error {
	want := 64
	switch c.Algorithm {
	case PBKDF2SHA256:
		want = 32
	case PBKDF2SHA512, SaltedSHA512:
	default:
		return fmt.Errorf("%w: password algorithm %q is not known", fleet.ErrInvalid, c.Algorithm)
	}
	switch {
	case len(c.Verifier) != want:
		return fmt.Errorf("%w: password hash has %d bytes: want %d", fleet.ErrInvalid, len(c.Verifier), want)
	case len(c.Salt) == 0 || len(c.Salt) > 64:
		return fmt.Errorf("%w: password salt has %d bytes: want 1 to 64", fleet.ErrInvalid, len(c.Salt))
	case c.Algorithm != SaltedSHA512 && (c.Iterations < 1 || c.Iterations > MaxIterations):
		return fmt.Errorf("%w: password hash of %d iterations: want 1 to %d", fleet.ErrInvalid, c.Iterations, MaxIterations)
	}
	return nil
}

// Credential returns the credential of a device; false when it has none.
func (s *Store) Credential(id fleet.DeviceID) (Credential, bool, error) {
	return getJSON[Credential](s.get, key(tableCredential, string(id)))
}

// PutCredential stores c.
func (t *Tx) PutCredential(id fleet.DeviceID, c Credential) error {
	return t.setJSON(key(tableCredential, string(id)), c)
}

// DeleteCredential forgets the credential of a device.
func (t *Tx) DeleteCredential(id fleet.DeviceID) { t.set(key(tableCredential, string(id)), nil) }

// PutState stores the newest state of a device.
func (t *Tx) PutState(s fleet.DeviceState) error { return t.setJSON(key(tableState, string(s.ID)), s) }

// States returns all stored device states.
func (s *Store) States() ([]fleet.DeviceState, error) {
	var all []fleet.DeviceState
	err := s.each([]byte{tableState}, nil, func(k, v []byte) (bool, error) {
		var d fleet.DeviceState
		if err := json.Unmarshal(v, &d); err != nil {
			return false, fmt.Errorf("decode state %q: %w", k[1:], err)
		}
		all = append(all, d)
		return true, nil
	})
	return all, err
}

// Stage is how far a receipt says that a press has come.
type Stage string

// The stages.
const (
	StageStored    Stage = "stored"
	StageAccepted  Stage = "accepted"
	StageCompleted Stage = "completed"
)

// Receipt is what a button is still to be told of a press.
type Receipt struct {
	Press fleet.PressKey `json:"press"`
	Stage Stage          `json:"stage"`
	// HubMade: the firmware has no boot_id, so the receipt names none.
	HubMade bool      `json:"hub_made,omitempty"`
	At      time.Time `json:"at"`
}

func receiptKey(p fleet.PressKey) []byte {
	return key(tableReceipt, string(p.Device), p.BootID, fmt.Sprintf("%020d", p.SequenceID))
}

// PutReceipt stores what a button is to be told; it replaces an earlier stage
// of the same press.
func (t *Tx) PutReceipt(r Receipt) error { return t.setJSON(receiptKey(r.Press), r) }

// DeleteReceipt forgets a receipt that the button has taken, unless another has
// been queued for the same press since.
func (t *Tx) DeleteReceipt(r Receipt) error {
	now, found, err := getJSON[Receipt](t.get, receiptKey(r.Press))
	if err == nil && found && now.Stage == r.Stage && now.At.Equal(r.At) {
		t.set(receiptKey(r.Press), nil)
	}
	return err
}

// Receipts returns what buttons are still to be told.
func (s *Store) Receipts() ([]Receipt, error) {
	var all []Receipt
	err := s.each([]byte{tableReceipt}, nil, func(_, v []byte) (bool, error) {
		var r Receipt
		if err := json.Unmarshal(v, &r); err != nil {
			return false, fmt.Errorf("decode receipt: %w", err)
		}
		all = append(all, r)
		return true, nil
	})
	return all, err
}

// ParseReceiptRef reads what Receipt.Ref wrote.
func ParseReceiptRef(ref string) (fleet.PressKey, Stage, error) {
	parts := strings.Split(ref, "\x00")
	if len(parts) != 4 {
		return fleet.PressKey{}, "", fmt.Errorf("%w: receipt %q", fleet.ErrInvalid, ref)
	}
	seq, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil {
		return fleet.PressKey{}, "", fmt.Errorf("%w: receipt %q: %w", fleet.ErrInvalid, ref, err)
	}
	return fleet.PressKey{Device: fleet.DeviceID(parts[0]), BootID: parts[1], SequenceID: seq}, Stage(parts[3]), nil
}

// Ref names the receipt for the time of one delivery.
func (r Receipt) Ref() string {
	return strings.Join([]string{
		string(r.Press.Device), r.Press.BootID, strconv.FormatUint(r.Press.SequenceID, 10), string(r.Stage),
	}, "\x00")
}
