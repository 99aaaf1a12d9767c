package provision

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
)

// Registry is where devices are registered; see registry.Registry.
type Registry interface {
	Device(fleet.DeviceID) (fleet.Device, error)
	AddIn(tx *journal.Tx, by fleet.Actor, d fleet.Device) error
	ChangeIn(tx *journal.Tx, by fleet.Actor, d fleet.Device, version uint64) (fleet.Device, error)
	// GivePasswordIn makes a device's password anew, and returns it.
	GivePasswordIn(tx *journal.Tx, id fleet.DeviceID) (string, error)
	Full() error
}

// Authority certifies devices; see pki.PKI.
type Authority interface {
	IssueIn(tx *journal.Tx, by fleet.Actor, id fleet.DeviceID, key *ecdsa.PublicKey) (*x509.Certificate, error)
	RevokeAllIn(tx *journal.Tx, by fleet.Actor, id fleet.DeviceID, but string, why fleet.RevocationReason) (int, error)
	Bytes(serial string) ([]byte, bool, error)
	AnchorsPEM() []byte
	// ServerAuthority is the certificate that the hub's own leads to.
	ServerAuthority() *x509.Certificate
}

// Profiles are the site's security profiles; see policy.Policies.
type Profiles interface {
	ProfileOf(name string) (access.Profile, error)
}

// Clock tells the time by which tokens end.
type Clock interface{ Certain() time.Time }

// Addresses are where devices reach the hub; those that are off are empty.
type Addresses struct {
	MQTT, MQTTS, WS, WSS string // mqtt://host:port, …
	// Enrol is the address of the claim: https://host:port/api/v1/provision/claim.
	Enrol string
}

// Config is what New needs. Zero fields take their defaults.
type Config struct {
	Site      fleet.SiteID
	Store     *store.Store
	Journal   *journal.Journal
	Clock     Clock
	Registry  Registry
	Authority Authority
	Profiles  Profiles
	// Interval is how often a device of a type and profile is to report; 0 when
	// that is its own affair, as if nil.
	Interval func(kind fleet.DeviceType, profile string) time.Duration
	// Addresses are asked for each time: the hub's may change.
	Addresses func() Addresses
	// NewKey is told of a device that signs with another key from now on; may be
	// nil.
	NewKey func(fleet.DeviceID)
	// Life of a token for which nobody gave one; 30 min. At most LongestLife; 7
	// days.
	Life, LongestLife time.Duration
	// MaxOpen tokens at a time; 1000.
	MaxOpen int
	// Keep tokens that have ended for so long; 30 days.
	Keep time.Duration
	// Wrong claims that an address may make in a minute; 20.
	MaxWrong int
	Logger   *slog.Logger
}

// Provision makes tokens and takes claims.
type Provision struct {
	c    Config
	mac  []byte // key of the HMACs
	sign ed25519.PrivateKey
	kid  string

	wrong attempts

	mu    sync.Mutex // guards what follows: a copy of what is stored
	open  map[string]store.Token
	byMAC map[string]string // HMAC of a secret or code → id
	byHW  map[string]string // hardware id → id of its window
}

// New reads the tokens.
func New(ctx context.Context, c Config) (*Provision, error) {
	c.Life = cmp.Or(c.Life, 30*time.Minute)
	c.LongestLife = cmp.Or(c.LongestLife, 7*24*time.Hour)
	c.MaxOpen = cmp.Or(c.MaxOpen, 1000)
	c.Keep = cmp.Or(c.Keep, 30*24*time.Hour)
	c.MaxWrong = cmp.Or(c.MaxWrong, 20)
	if c.Interval == nil {
		c.Interval = func(fleet.DeviceType, string) time.Duration { return 0 }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Provision{
		c: c, wrong: attempts{most: c.MaxWrong, counts: map[string]int{}},
		open: map[string]store.Token{}, byMAC: map[string]string{}, byHW: map[string]string{},
	}
	if err := p.keys(ctx); err != nil {
		return nil, err
	}
	all, err := c.Store.Tokens()
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		p.remember(t)
	}
	return p, nil
}

// keySetting is the name under which the store has the keys of this package.
const keySetting = "provision_keys"

type storedKeys struct {
	MAC  []byte `json:"mac"`
	Sign []byte `json:"sign"` // seed of an Ed25519 key
}

func (p *Provision) keys(ctx context.Context) error {
	k, found, err := store.Setting[storedKeys](p.c.Store, keySetting)
	if err != nil {
		return fmt.Errorf("read the keys of provisioning: %w", err)
	}
	if !found {
		k = storedKeys{MAC: make([]byte, 32), Sign: make([]byte, ed25519.SeedSize)}
		rand.Read(k.MAC) // never fails (crypto/rand)
		rand.Read(k.Sign)
		err := p.c.Store.Update(ctx, func(tx *store.Tx) error {
			tx.Essential()
			return tx.PutSetting(keySetting, k)
		})
		if err != nil {
			return fmt.Errorf("store the keys of provisioning: %w", err)
		}
	}
	if len(k.MAC) != 32 || len(k.Sign) != ed25519.SeedSize {
		return fmt.Errorf("%w: the stored keys of provisioning are damaged: restore a backup", fleet.ErrState)
	}
	p.mac, p.sign = k.MAC, ed25519.NewKeyFromSeed(k.Sign)
	sum := sha256.Sum256(p.sign.Public().(ed25519.PublicKey))
	p.kid = hex.EncodeToString(sum[:8])
	return nil
}

func (p *Provision) macOf(kind, text string) []byte {
	h := hmac.New(sha256.New, p.mac)
	h.Write([]byte(kind + "\x00" + text))
	return h.Sum(nil)
}

// remember keeps the copy of a token in step. The caller holds mu, or is New.
func (p *Provision) remember(t store.Token) {
	if t.State == store.TokenOpen {
		p.open[t.ID] = t
	} else {
		delete(p.open, t.ID)
	}
	if t.State == store.TokenOpen || t.State == store.TokenUsed {
		for _, mac := range [][]byte{t.Secret, t.Code} {
			if len(mac) > 0 {
				p.byMAC[string(mac)] = t.ID
			}
		}
		if t.Hardware != "" {
			p.byHW[t.Hardware] = t.ID
		}
		return
	}
	p.forget(t)
}

func (p *Provision) forget(t store.Token) {
	delete(p.open, t.ID)
	delete(p.byMAC, string(t.Secret))
	delete(p.byMAC, string(t.Code))
	if p.byHW[t.Hardware] == t.ID {
		delete(p.byHW, t.Hardware)
	}
}

// Want is what a person wants a device to be.
type Want struct {
	// Device is its id; empty leaves the choice to the device, or to the hub.
	Device  fleet.DeviceID
	Type    fleet.DeviceType
	Room    fleet.RoomID
	Name    string
	Profile string
	// Replaces: Device is registered and goes on as another piece of hardware; its
	// history stays, and what its hardware had to show who it is counts no more.
	Replaces bool
	// Hardware and Key are what a label says; both or none.
	Hardware string
	Key      string
	Life     time.Duration
}

// Made is a new token. Secret and Code are told once.
type Made struct {
	store.Token
	SecretText string
	CodeText   string
}

// Make makes a token, or opens the window for a label. fleet.ErrInvalid,
// fleet.ErrExists (the device), fleet.ErrLimit.
func (p *Provision) Make(ctx context.Context, by fleet.Actor, w Want) (Made, error) {
	t, err := p.wanted(w)
	if err != nil {
		return Made{}, err
	}
	m := Made{Token: t}
	if t.Hardware == "" {
		var b [20]byte
		rand.Read(b[:]) // never fails (crypto/rand)
		m.SecretText = tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:])
		m.CodeText = newCode()
		code, err := parseCode(m.CodeText)
		if err != nil {
			return Made{}, err
		}
		m.Secret, m.Code = p.macOf("token", m.SecretText), p.macOf("code", code)
	}
	p.mu.Lock()
	open := len(p.open)
	p.mu.Unlock()
	if open >= p.c.MaxOpen {
		return Made{}, fmt.Errorf("%w: %d tokens are open, which is the most there may be: revoke some", fleet.ErrLimit, open)
	}
	err = p.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		now := fleet.Millis(p.c.Clock.Certain())
		m.ID, m.CreatedBy, m.State = fleet.NewUUID[string](now), by, store.TokenOpen
		m.CreatedAt, m.ExpiresAt = now, now.Add(cmp.Or(w.Life, p.c.Life))
		if err := tx.PutToken(m.Token); err != nil {
			return err
		}
		tx.Then(func() { p.stored(m.Token) })
		return tx.Audit(by, "provision.opened", m.ID, p.detail(m.Token))
	})
	return m, err
}

const tokenPrefix = "obt_"

func (p *Provision) stored(t store.Token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remember(t)
}

func (p *Provision) detail(t store.Token) map[string]string {
	d := map[string]string{"type": string(t.Type), "room": string(t.Room)}
	for k, v := range map[string]string{
		"device_id": string(cmp.Or(t.Claimed, t.Device)), "hardware_id": t.Hardware, "security_profile": t.Profile, "serial": t.Serial,
	} {
		if v != "" {
			d[k] = v
		}
	}
	if t.Replaces {
		d["replaces"] = "true"
	}
	return d
}

// wanted checks what is wanted.
func (p *Provision) wanted(w Want) (store.Token, error) {
	t := store.Token{
		Hardware: w.Hardware, Key: strings.ToLower(w.Key), Device: w.Device, Type: w.Type, Room: w.Room, Name: w.Name,
		Profile: w.Profile, Replaces: w.Replaces,
	}
	if w.Life < 0 || w.Life > p.c.LongestLife {
		return t, fmt.Errorf("%w: a token may last at most %s", fleet.ErrInvalid, p.c.LongestLife)
	}
	if (w.Hardware == "") != (w.Key == "") {
		return t, fmt.Errorf("%w: a label has both hardware_id and key_hash", fleet.ErrInvalid)
	}
	if w.Hardware != "" {
		if !fleet.ValidSegment(w.Hardware) {
			return t, fmt.Errorf("%w: hardware_id %q: want 1 to %d of A-Z a-z 0-9 . _ -", fleet.ErrInvalid, w.Hardware, fleet.MaxSegment)
		}
		if b, err := hex.DecodeString(t.Key); err != nil || len(b) != sha256.Size {
			return t, fmt.Errorf("%w: key_hash is not 64 hexadecimal digits", fleet.ErrInvalid)
		}
	}
	if w.Replaces && w.Device == "" {
		return t, fmt.Errorf("%w: say which device is replaced", fleet.ErrInvalid)
	}
	if w.Device != "" {
		old, err := p.c.Registry.Device(w.Device)
		switch {
		case w.Replaces && err != nil:
			return t, err
		case w.Replaces:
			t.Type, t.Room, t.Name, t.Profile = old.Type, old.Room, old.Name, old.Profile
			return t, nil
		case err == nil:
			return t, fmt.Errorf("%w: device %s: to give it other hardware, replace it", fleet.ErrExists, w.Device)
		}
	}
	t.Profile = cmp.Or(t.Profile, string(t.Type))
	d := fleet.Device{ID: cmp.Or(t.Device, "new"), Type: t.Type, Room: t.Room, Name: t.Name, Profile: t.Profile}
	if err := d.Check(); err != nil {
		return t, err
	}
	if t.Room == "system" {
		return t, fmt.Errorf("%w: room %q is the name of the hub's own topics", fleet.ErrInvalid, t.Room)
	}
	if _, err := p.c.Profiles.ProfileOf(t.Profile); err != nil {
		return t, err
	}
	return t, p.c.Registry.Full()
}

// Tokens returns all tokens that are kept, the newest first.
func (p *Provision) Tokens() ([]store.Token, error) {
	all, err := p.c.Store.Tokens()
	slices.Reverse(all)
	return all, err
}

// Token returns one; fleet.ErrNotFound.
func (p *Provision) Token(id string) (store.Token, error) {
	t, found, err := p.c.Store.Token(id)
	if err == nil && !found {
		err = fmt.Errorf("%w: token %s", fleet.ErrNotFound, id)
	}
	return t, err
}

// Revoke ends a token that is open. fleet.ErrNotFound; fleet.ErrState when it has
// ended.
func (p *Provision) Revoke(ctx context.Context, by fleet.Actor, id string) error {
	return p.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		t, found, err := tx.Token(id)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("%w: token %s", fleet.ErrNotFound, id)
		case t.State != store.TokenOpen:
			return fmt.Errorf("%w: token %s is %s", fleet.ErrState, id, t.State)
		}
		t.State = store.TokenRevoked
		if err := tx.PutToken(t); err != nil {
			return err
		}
		tx.Then(func() { p.stored(t) })
		return tx.Audit(by, "provision.revoked", id, p.detail(t))
	})
}

// sweepEvery is how often ended tokens are looked for.
const sweepEvery = 10 * time.Second

// Run ends tokens whose time is over, until ctx ends.
func (p *Provision) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		p.wrong.forget()
		if err := p.Sweep(ctx, n%360 == 0); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// Sweep writes down which tokens have ended, and forgets those that ended long
// ago, if old.
func (p *Provision) Sweep(ctx context.Context, old bool) error {
	now := p.c.Clock.Certain()
	p.mu.Lock()
	var over []string
	for id, t := range p.open {
		if !now.Before(t.ExpiresAt) {
			over = append(over, id)
		}
	}
	p.mu.Unlock()
	if len(over) > 0 {
		err := p.c.Journal.Do(ctx, func(tx *journal.Tx) error {
			tx.Essential()
			for _, id := range over {
				if err := p.expireIn(tx, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("end tokens: %w", err)
		}
	}
	if !old {
		return nil
	}
	all, err := p.c.Store.Tokens()
	if err != nil {
		return err
	}
	return p.c.Store.Update(ctx, func(tx *store.Tx) error {
		tx.Essential()
		for _, t := range all {
			if t.State != store.TokenOpen && now.Sub(t.ExpiresAt) > p.c.Keep {
				tx.DeleteToken(t.ID)
				p.mu.Lock()
				p.forget(t)
				p.mu.Unlock()
			}
		}
		return nil
	})
}

func (p *Provision) expireIn(tx *journal.Tx, id string) error {
	t, found, err := tx.Token(id)
	if err != nil || !found || t.State != store.TokenOpen {
		return err
	}
	t.State = store.TokenExpired
	tx.Then(func() { p.stored(t) })
	return tx.PutToken(t)
}
