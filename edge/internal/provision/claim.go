package provision

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/topic"
)

// Claim is what a device brings.
type Claim struct {
	// One of Token and Code; neither for a device whose label was scanned.
	Token, Code string
	Hardware    string
	// Device is the id that it wants, if the token leaves that open.
	Device fleet.DeviceID
	// Key is the public key that it has shown to have; nil for one that wants the
	// hub to make a key (MakeKey), or a password.
	Key     *ecdsa.PublicKey
	MakeKey bool
	// From is where the claim comes from, to count wrong ones by.
	From string
}

// Claimed is what the device gets. What is secret is told once.
type Claimed struct {
	Device      fleet.Device
	Certificate []byte // PEM; empty for a device with a password
	Anchors     []byte // PEM: the certificates to trust
	PrivateKey  []byte // PEM, PKCS #8: only with MakeKey
	Password    string // only without key
	SigningKey  []byte // only for a profile whose devices sign
	Addresses   Addresses
	// Configuration is what the QR code's configurationHash is of.
	Configuration Configuration
}

// Configuration is how a device is to behave.
type Configuration struct {
	Site              fleet.SiteID     `json:"site"`
	Room              fleet.RoomID     `json:"room"`
	Type              fleet.DeviceType `json:"type"`
	SecurityProfile   string           `json:"security_profile"`
	MaxQoS            byte             `json:"max_qos"`
	ReportingInterval int              `json:"reporting_interval_s"`
	SignMessages      bool             `json:"sign_messages,omitempty"`
}

// Hash is the SHA-256 of the configuration's JSON, in hexadecimal digits.
func (c Configuration) Hash() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // of strings and numbers
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (p *Provision) configuration(room fleet.RoomID, kind fleet.DeviceType, name string) (Configuration, access.Profile, error) {
	profile, err := p.c.Profiles.ProfileOf(name)
	return Configuration{
		Site: p.c.Site, Room: room, Type: kind, SecurityProfile: name, MaxQoS: profile.MaxQoS,
		ReportingInterval: int(p.c.Interval(kind, name) / time.Second), SignMessages: profile.SignMessages,
	}, profile, err
}

// errUnknown is all that is told of a claim with nothing behind it: who guesses
// learns nothing.
var errUnknown = fmt.Errorf("%w: no such token or code, or its time is over", fleet.ErrForbidden)

// find returns the id of the token that a claim is for.
func (p *Provision) find(c Claim) (string, error) {
	var mac []byte
	switch {
	case c.Token != "" && c.Code != "":
		return "", fmt.Errorf("%w: bring a token or a code, not both", fleet.ErrInvalid)
	case c.Token != "":
		mac = p.macOf("token", c.Token)
	case c.Code != "":
		code, err := parseCode(c.Code)
		if err != nil {
			return "", err
		}
		mac = p.macOf("code", code)
	case c.Hardware == "":
		return "", fmt.Errorf("%w: bring a token, a code, or the hardware_id of a label", fleet.ErrInvalid)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if mac == nil {
		id, ok := p.byHW[c.Hardware]
		if !ok {
			return "", fmt.Errorf("%w: nobody expects %s: scan its label at the hub", fleet.ErrForbidden, c.Hardware)
		}
		return id, nil
	}
	id, ok := p.byMAC[string(mac)]
	if !ok {
		return "", errUnknown
	}
	return id, nil
}

// Holder returns the id of the token that a secret or code is of, for a
// connection that is good for nothing but its claim. fleet.ErrUnauthenticated.
func (p *Provision) Holder(secret, from string) (string, error) {
	if err := p.wrong.may(from); err != nil {
		return "", err
	}
	c := Claim{Token: secret}
	if !strings.HasPrefix(secret, tokenPrefix) {
		c = Claim{Code: secret}
	}
	id, err := p.find(c)
	if err != nil {
		p.wrong.failed(from)
		return "", fmt.Errorf("%w: no such token or code, or its time is over", fleet.ErrUnauthenticated)
	}
	return id, nil
}

// Claim takes a device in. fleet.ErrForbidden: nobody knows the token;
// fleet.ErrExpired, fleet.ErrState (409): it has ended, or another has used it;
// fleet.ErrInvalid, fleet.ErrExists, fleet.ErrLimit.
func (p *Provision) Claim(ctx context.Context, c Claim) (Claimed, error) {
	if err := p.wrong.may(c.From); err != nil {
		return Claimed{}, err
	}
	id, err := p.find(c)
	if err != nil {
		p.wrong.failed(c.From)
		return Claimed{}, err
	}
	var made *ecdsa.PrivateKey
	if c.MakeKey {
		if c.Key != nil {
			return Claimed{}, fmt.Errorf("%w: the device has a key: it needs none from the hub", fleet.ErrInvalid)
		}
		if made, err = identity.NewKey(); err != nil {
			return Claimed{}, err
		}
		c.Key = &made.PublicKey
	}
	var out Claimed
	err = p.c.Journal.Do(ctx, func(tx *journal.Tx) (err error) {
		out, err = p.claimIn(tx, id, c)
		return err
	})
	if errors.Is(err, fleet.ErrExpired) {
		// Written down, so that it stays ended whatever the clock says next.
		err = errors.Join(err, p.Sweep(ctx, false))
	}
	if err != nil {
		return Claimed{}, err
	}
	if made != nil {
		der, err := identity.EncodeKey(made)
		if err != nil {
			return Claimed{}, err
		}
		out.PrivateKey = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	out.Anchors, out.Addresses = p.c.Authority.AnchorsPEM(), p.c.Addresses()
	return out, nil
}

// claimIn is the decision.
func (p *Provision) claimIn(tx *journal.Tx, id string, c Claim) (Claimed, error) {
	t, found, err := tx.Token(id)
	if err != nil {
		return Claimed{}, err
	}
	if !found {
		return Claimed{}, errUnknown
	}
	key := ""
	if c.Key != nil {
		if key, err = identity.KeyID(c.Key); err != nil {
			return Claimed{}, err
		}
	}
	if t.Key != "" && !hmac.Equal([]byte(t.Key), []byte(key)) {
		return Claimed{}, fmt.Errorf("%w: the key is not the one of the label", fleet.ErrForbidden)
	}
	switch t.State {
	case store.TokenOpen:
	case store.TokenUsed:
		if key == "" || t.ClaimedKey != key {
			return Claimed{}, fmt.Errorf("%w: the token was used, by device %s: make a new one", fleet.ErrState, t.Claimed)
		}
		return p.again(tx, t)
	case store.TokenExpired:
		return Claimed{}, fmt.Errorf("%w: the token's time was over at %s: make a new one", fleet.ErrExpired, t.ExpiresAt.Format(time.RFC3339))
	default:
		return Claimed{}, fmt.Errorf("%w: the token was taken back", fleet.ErrState)
	}
	if !p.c.Clock.Certain().Before(t.ExpiresAt) {
		return Claimed{}, fmt.Errorf("%w: the token's time was over at %s: make a new one", fleet.ErrExpired, t.ExpiresAt.Format(time.RFC3339))
	}
	var out Claimed
	if out.Device, err = p.register(tx, t, c); err != nil {
		return Claimed{}, err
	}
	config, profile, err := p.configuration(out.Device.Room, out.Device.Type, out.Device.Profile)
	if err != nil {
		return Claimed{}, err
	}
	out.Configuration = config
	by := fleet.ByDevice(out.Device.ID)
	if c.Key != nil {
		cert, err := p.c.Authority.IssueIn(tx, by, out.Device.ID, c.Key)
		if err != nil {
			return Claimed{}, err
		}
		out.Certificate = identity.PEM(cert.Raw)
		t.Serial, t.ClaimedKey = hex.EncodeToString(cert.SerialNumber.Bytes()), key
	} else {
		if profile.ClientCertRequired {
			return Claimed{}, fmt.Errorf("%w: profile %s requires a certificate: bring a certificate request, or ask the hub for a key",
				fleet.ErrInvalid, out.Device.Profile)
		}
		if out.Password, err = p.c.Registry.GivePasswordIn(tx, out.Device.ID); err != nil {
			return Claimed{}, err
		}
	}
	if profile.SignMessages {
		k := store.SigningKey{Key: make([]byte, sha256.Size), ChangedAt: tx.Now()}
		rand.Read(k.Key) // never fails (crypto/rand)
		if err := tx.PutSigningKey(out.Device.ID, k); err != nil {
			return Claimed{}, err
		}
		out.SigningKey = k.Key
		tx.DeleteWindow(out.Device.ID) // its messages are numbered anew
		if p.c.NewKey != nil {
			tx.Then(func() { p.c.NewKey(out.Device.ID) })
		}
	}
	t.State, t.UsedAt, t.Claimed = store.TokenUsed, tx.Now(), out.Device.ID
	if err := tx.PutToken(t); err != nil {
		return Claimed{}, err
	}
	tx.Then(func() { p.stored(t) })
	return out, tx.Audit(by, "provision.claimed", t.ID, p.detail(t))
}

// again is the answer to a device that asks for what it has got: the answer may
// have been lost on its way.
func (p *Provision) again(tx *journal.Tx, t store.Token) (Claimed, error) {
	d, found, err := fleet.Get[fleet.Device](tx, fleet.DeviceRef(t.Claimed))
	if err != nil {
		return Claimed{}, err
	}
	c, known, err := fleet.Get[fleet.Certificate](tx, fleet.CertificateRef(t.Serial))
	if err != nil {
		return Claimed{}, err
	}
	der, have, err := p.c.Authority.Bytes(t.Serial)
	if err != nil {
		return Claimed{}, err
	}
	if !found || d.Removed || !known || c.Revoked() || !have {
		return Claimed{}, fmt.Errorf("%w: the token was used, and what it gave was taken back since", fleet.ErrState)
	}
	out := Claimed{Device: d, Certificate: identity.PEM(der)}
	if out.Configuration, _, err = p.configuration(d.Room, d.Type, d.Profile); err != nil {
		return Claimed{}, err
	}
	if out.Configuration.SignMessages {
		k, _, err := tx.SigningKey(d.ID)
		if err != nil {
			return Claimed{}, err
		}
		out.SigningKey = k.Key
	}
	return out, nil
}

// register adds the device, or gives a registered one its new hardware.
func (p *Provision) register(tx *journal.Tx, t store.Token, c Claim) (fleet.Device, error) {
	by := t.CreatedBy
	if t.Device != "" && c.Device != "" && c.Device != t.Device {
		return fleet.Device{}, fmt.Errorf("%w: the token is for device %s, not %s", fleet.ErrInvalid, t.Device, c.Device)
	}
	hardware := cmp.Or(c.Hardware, t.Hardware)
	if t.Hardware != "" && c.Hardware != "" && c.Hardware != t.Hardware {
		return fleet.Device{}, fmt.Errorf("%w: the window is for hardware %s", fleet.ErrInvalid, t.Hardware)
	}
	if hardware != "" && !fleet.ValidSegment(hardware) {
		return fleet.Device{}, fmt.Errorf("%w: hardware_id %q: want 1 to %d of A-Z a-z 0-9 . _ -", fleet.ErrInvalid, hardware, fleet.MaxSegment)
	}
	if t.Replaces {
		old, found, err := fleet.Get[fleet.Device](tx, fleet.DeviceRef(t.Device))
		if err != nil {
			return old, err
		}
		if !found || old.Removed {
			return old, fmt.Errorf("%w: device %s was removed since", fleet.ErrState, t.Device)
		}
		next := old
		next.Metadata = withHardware(old.Metadata, hardware)
		if next, err = p.c.Registry.ChangeIn(tx, by, next, old.Version); err != nil {
			return next, err
		}
		tx.DeleteCredential(next.ID)
		tx.DeleteSigningKey(next.ID)
		_, err = p.c.Authority.RevokeAllIn(tx, by, next.ID, "", fleet.RevokedCeased)
		return next, err
	}
	d := fleet.Device{
		ID: cmp.Or(t.Device, c.Device), Type: t.Type, Room: t.Room, Name: t.Name, Profile: t.Profile, Metadata: withHardware(nil, hardware),
	}
	if d.ID == "" {
		d.ID = newID(t.Type)
	}
	err := p.c.Registry.AddIn(tx, by, d)
	if errors.Is(err, fleet.ErrVersion) {
		return d, fmt.Errorf("%w: device %s", fleet.ErrExists, d.ID)
	}
	if err != nil {
		return d, err
	}
	d, _, err = fleet.Get[fleet.Device](tx, fleet.DeviceRef(d.ID))
	return d, err
}

// HardwareKey is the entry of a device's metadata that names its hardware.
const HardwareKey = "hardware_id"

func withHardware(m map[string]string, hardware string) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[k] = v
	}
	delete(out, HardwareKey)
	if hardware != "" {
		out[HardwareKey] = hardware
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// prefixes begin the ids that the hub makes up.
var prefixes = map[fleet.DeviceType]string{fleet.Button: "btn", fleet.Watch: "watch", fleet.Repeater: "rpt", fleet.Sensor: "sen"}

func newID(t fleet.DeviceType) fleet.DeviceID {
	var b [6]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	var s []byte
	for _, v := range b {
		s = append(s, crockford[v%32])
	}
	return fleet.DeviceID(cmp.Or(prefixes[t], string(t)) + "-" + strings.ToLower(string(s)))
}

// Topics are the topics of a device, by what they are for.
func Topics(site fleet.SiteID, d fleet.Device) map[string]string {
	base := d.BaseTopic(site)
	return map[string]string{
		"base": base, "commands": topic.Commands(base), "status": topic.Action(base, topic.Status),
		"time": topic.System(site, topic.SystemTime),
	}
}

// EncodeKey is a signing key as it is told.
func EncodeKey(k []byte) string { return base64.StdEncoding.EncodeToString(k) }
