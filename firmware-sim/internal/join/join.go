package join

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

// Hardware is a device as its factory makes it: a name, and a key of its own.
type Hardware struct {
	id  string
	key *ecdsa.PrivateKey
	csr string
}

// NewHardware makes a device. Its hardware id is prefix and the beginning of the
// hash of its key.
func NewHardware(prefix string) (*Hardware, error) {
	key, err := identity.NewKey()
	if err != nil {
		return nil, err
	}
	hash, err := identity.KeyID(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	id := prefix + hash[:12]
	csr, err := device.Request(key, id)
	if err != nil {
		return nil, err
	}
	return &Hardware{id: id, key: key, csr: string(csr)}, nil
}

// ID is the hardware id.
func (h *Hardware) ID() string { return h.id }

// Label is what is printed on a device.
type Label struct {
	HardwareID string `json:"hardware_id"`
	// KeyHash is the SHA-256 of the public key (SubjectPublicKeyInfo).
	KeyHash string `json:"key_hash"`
}

// Label is what is printed on this one.
func (h *Hardware) Label() (Label, error) {
	hash, err := identity.KeyID(&h.key.PublicKey)
	return Label{h.id, hash}, err
}

// Joined is what a device has got.
type Joined struct {
	DeviceID    fleet.DeviceID    `json:"device_id"`
	BrokerURLs  []string          `json:"broker_urls"`
	Topics      map[string]string `json:"topics"`
	Certificate string            `json:"certificate"`
	Chain       string            `json:"chain"`
	Username    string            `json:"username"`
	Password    string            `json:"password"`
	// Configuration is what the QR code's configurationHash is of.
	Configuration json.RawMessage `json:"configuration"`
	// Time is what the hub's clock said.
	Time time.Time `json:"time"`

	// Credentials hold the key besides.
	Credentials device.Credentials `json:"-"`
}

// Refusal is the hub's no (RFC 9457).
type Refusal struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// Error implements error.
func (r *Refusal) Error() string {
	return fmt.Sprintf("the hub says no: %d %s: %s", r.Status, r.Title, r.Detail)
}

func refusal(status int, answer []byte) *Refusal {
	r := &Refusal{Title: http.StatusText(status)}
	_ = json.Unmarshal(answer, r) // no problem document: the status says enough
	r.Status = status
	return r
}

// claim is what a device brings.
type claim struct {
	Token    string `json:"token,omitempty"`
	Code     string `json:"code,omitempty"`
	Hardware string `json:"hardware_id,omitempty"`
	CSR      string `json:"csr,omitempty"`
}

// ByToken joins with what a QR code says, over HTTPS.
func (h *Hardware) ByToken(ctx context.Context, p Payload) (Joined, error) {
	return h.over(ctx, p, claim{Token: p.Token, Hardware: h.id, CSR: h.csr})
}

// ByPassword is ByToken for a device that can do nothing with certificates.
func (h *Hardware) ByPassword(ctx context.Context, p Payload) (Joined, error) {
	return h.over(ctx, p, claim{Token: p.Token, Hardware: h.id})
}

func (h *Hardware) over(ctx context.Context, p Payload, c claim) (Joined, error) {
	pool, err := trust(ctx, p.AnchorsURL, p.CAFingerprint)
	if err != nil {
		return Joined{}, err
	}
	return h.claim(ctx, client(trusting(pool)), p.EnrolURL, c)
}

// ByCode joins with a code that was typed, at a hub whose address (such as
// https://host:8443) the device was told.
func (h *Hardware) ByCode(ctx context.Context, hub, code string) (Joined, error) {
	return h.at(ctx, hub, claim{Code: code, Hardware: h.id, CSR: h.csr})
}

// ByLabel joins with nothing but its key: somebody has scanned the label.
func (h *Hardware) ByLabel(ctx context.Context, hub string) (Joined, error) {
	return h.at(ctx, hub, claim{Hardware: h.id, CSR: h.csr})
}

func (h *Hardware) at(ctx context.Context, hub string, c claim) (Joined, error) {
	hub = strings.TrimRight(hub, "/")
	pool, err := trust(ctx, hub+"/api/v1/provision/ca.crt", "")
	if err != nil {
		return Joined{}, err
	}
	return h.claim(ctx, client(trusting(pool)), hub+"/api/v1/provision/claim", c)
}

func (h *Hardware) claim(ctx context.Context, c *http.Client, url string, in claim) (Joined, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return Joined{}, err
	}
	answer, err := call(ctx, c, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return Joined{}, fmt.Errorf("claim: %w", err)
	}
	return h.joined(answer)
}

// joined reads the hub's answer to a claim.
func (h *Hardware) joined(answer []byte) (Joined, error) {
	var j Joined
	if err := json.Unmarshal(answer, &j); err != nil {
		return j, fmt.Errorf("claim: read the hub's answer: %w", err)
	}
	j.Credentials = device.Credentials{Username: j.Username, Password: j.Password}
	if j.Certificate != "" {
		key, err := device.EncodeKey(h.key)
		if err != nil {
			return j, err
		}
		j.Credentials = device.Credentials{Key: key, Certificate: j.Certificate, Anchors: j.Chain}
	}
	if err := j.Credentials.Check(); err != nil {
		return j, fmt.Errorf("claim: %w", err)
	}
	if j.DeviceID == "" || j.Topics["base"] == "" || len(j.BrokerURLs) == 0 || j.Certificate == "" && j.Password == "" {
		return j, fmt.Errorf("%w: the hub's answer to a claim says not enough: %s", fleet.ErrInvalid, answer)
	}
	return j, nil
}
