package provision_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/pki"
	"github.com/obedio/obedio/edge/internal/policy"
	"github.com/obedio/obedio/edge/internal/provision"
	"github.com/obedio/obedio/edge/internal/registry"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

var begin = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

var chief = fleet.Actor{Kind: fleet.ActorUser, ID: "u1", Name: "Chief"}

// site is all that provisioning stands on, over a store that outlives it.
type site struct {
	t      *testing.T
	fs     store.FileSystem
	dir    string
	system time.Time
	mono   time.Duration
	stored time.Time

	*provision.Provision
	store    *store.Store
	journal  *journal.Journal
	clock    *identity.Clock
	registry *registry.Registry
	policies *policy.Policies
	pki      *pki.PKI
}

func newSite(t *testing.T) *site {
	s := &site{t: t, fs: store.InMemory(), dir: t.TempDir(), system: begin}
	s.open()
	return s
}

// open starts all again, as after a crash.
func (s *site) open() {
	s.t.Helper()
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	if s.store != nil {
		must(s.store.Close())
	}
	var err error
	s.store, err = store.Open(store.Config{Dir: "data", FS: s.fs})
	must(err)
	s.t.Cleanup(func() { _ = s.store.Close() })
	s.clock = identity.NewClock(identity.ClockConfig{
		System: func() time.Time { return s.system }, Monotonic: func() time.Duration { return s.mono }, Built: begin.AddDate(0, -1, 0),
	})
	s.clock.Raise(s.stored)
	s.journal = journal.New(journal.Config{Store: s.store, Clock: s.clock})
	s.policies, err = policy.New(policy.Config{Site: "yacht-1", Store: s.store, Journal: s.journal})
	must(err)
	s.pki, err = pki.Open(pki.Config{Dir: s.dir, Site: "yacht-1", Store: s.store, Journal: s.journal, Clock: s.clock})
	must(err)
	s.registry, err = registry.New(registry.Config{
		Site: "yacht-1", Store: s.store, Journal: s.journal, Profiles: s.policies, MaxDevices: 300,
		Leaving: func(tx *journal.Tx, by fleet.Actor, id fleet.DeviceID) error {
			_, err := s.pki.RevokeAllIn(tx, by, id, "", fleet.RevokedCeased)
			return err
		},
	})
	must(err)
	s.Provision, err = provision.New(s.t.Context(), provision.Config{
		Site: "yacht-1", Store: s.store, Journal: s.journal, Clock: s.clock, Registry: s.registry, Authority: s.pki, Profiles: s.policies,
		Addresses: func() provision.Addresses {
			return provision.Addresses{MQTTS: "mqtts://hub:8883", Enrol: "https://hub:8443/api/v1/provision/claim"}
		},
	})
	must(err)
}

func (s *site) make(w provision.Want) provision.Made {
	s.t.Helper()
	m, err := s.Make(s.t.Context(), chief, w)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

func newKey(t *testing.T) *ecdsa.PublicKey {
	t.Helper()
	k, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return &k.PublicKey
}

func leaf(t *testing.T, b []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(b)
	if block == nil {
		t.Fatalf("no certificate in %q", b)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var button = provision.Want{Type: fleet.Button, Room: "cabin-101", Device: "btn-001", Name: "by the bed"}

func TestClaim_ByTokenOrCodeMakesTheDeviceWithItsCertificate(t *testing.T) {
	s := newSite(t)
	m := s.make(button)
	for name, c := range map[string]provision.Claim{
		"nobody's token":  {Token: "obt_AAAAAAAAAAAAAAAAAAAAAAAAAAA", Key: newKey(t)},
		"nobody's code":   {Code: "0000-0000-0000", Key: newKey(t)},
		"nothing":         {Key: newKey(t)},
		"mistyped code":   {Code: m.CodeText[:len(m.CodeText)-1] + "?", Key: newKey(t)},
		"another's id":    {Token: m.SecretText, Device: "btn-002", Key: newKey(t)},
		"hardware's name": {Token: m.SecretText, Hardware: "a/b", Key: newKey(t)},
	} {
		if _, err := s.Claim(t.Context(), c); err == nil || errors.Is(err, fleet.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	key := newKey(t)
	got, err := s.Claim(t.Context(), provision.Claim{Code: strings.ToLower(m.CodeText), Key: key, Hardware: "esp-77"})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := s.pki.Verify(leaf(t, got.Certificate))
	if err != nil || shown.Device != "btn-001" {
		t.Fatal(shown, err)
	}
	d, err := s.registry.Device("btn-001")
	if err != nil || d.Room != "cabin-101" || d.Name != "by the bed" || d.Metadata[provision.HardwareKey] != "esp-77" {
		t.Errorf("%+v %v", d, err)
	}
	if got.PrivateKey != nil || got.Password != "" || len(got.Anchors) == 0 || got.Configuration.Room != "cabin-101" {
		t.Errorf("%+v", got)
	}
	// The answer was lost on its way: again, also after a restart, by token or code.
	s.open()
	again, err := s.Claim(t.Context(), provision.Claim{Token: m.SecretText, Key: key})
	if err != nil || string(again.Certificate) != string(got.Certificate) || again.Device.ID != "btn-001" {
		t.Errorf("again: %v", err)
	}
	if _, err := s.Claim(t.Context(), provision.Claim{Token: m.SecretText, Key: newKey(t)}); !errors.Is(err, fleet.ErrState) {
		t.Errorf("another key: %v", err)
	}
	if tok, err := s.Token(m.ID); err != nil || tok.State != store.TokenUsed || tok.Claimed != "btn-001" {
		t.Errorf("%+v %v", tok, err)
	}
	if err := s.Revoke(t.Context(), chief, m.ID); !errors.Is(err, fleet.ErrState) {
		t.Errorf("revoked after its use: %v", err)
	}
	if err := s.pki.Revoke(t.Context(), chief, shown.Serial, fleet.RevokedCompromised); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(t.Context(), provision.Claim{Token: m.SecretText, Key: key}); !errors.Is(err, fleet.ErrState) {
		t.Errorf("gave a revoked certificate again: %v", err)
	}
}

func TestClaim_OfTwoAtOnceOneGetsIt(t *testing.T) {
	s := newSite(t)
	for i := range 200 {
		id := fleet.DeviceID(fmt.Sprintf("btn-%03d", i))
		m := s.make(provision.Want{Type: fleet.Button, Room: "cabin-1", Device: id})
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for j := range errs {
			key := newKey(t)
			wg.Go(func() { _, errs[j] = s.Claim(t.Context(), provision.Claim{Token: m.SecretText, Key: key}) })
		}
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), fleet.ErrState) {
			t.Fatalf("round %d: %v", i, errs)
		}
		if n := len(s.pki.Of(id)); n != 1 {
			t.Fatalf("round %d: %d certificates", i, n)
		}
	}
}

func TestClaim_AtomicWhenItFails(t *testing.T) {
	s := newSite(t)
	if err := s.policies.AddProfile(t.Context(), chief, access.Profile{
		Name: "strict", ACL: access.DeviceACLs(), MaxQoS: 1, MaxConnections: 1, ClientCertRequired: true,
	}); err != nil {
		t.Fatal(err)
	}
	w := button
	w.Profile = "strict"
	m := s.make(w)
	head, err := s.store.Head(fleet.LaneRegistry)
	if err != nil {
		t.Fatal(err)
	}
	// It brings no key, which is found out after it was registered.
	if _, err := s.Claim(t.Context(), provision.Claim{Token: m.SecretText}); !errors.Is(err, fleet.ErrInvalid) {
		t.Fatal(err)
	}
	if now, err := s.store.Head(fleet.LaneRegistry); err != nil || now != head {
		t.Errorf("half of it is there: %v %v", now, err)
	}
	if _, err := s.registry.Device("btn-001"); !errors.Is(err, fleet.ErrNotFound) {
		t.Error(err)
	}
	got, err := s.Claim(t.Context(), provision.Claim{Token: m.SecretText, MakeKey: true})
	if err != nil || len(got.PrivateKey) == 0 {
		t.Fatal(err)
	}
	block, _ := pem.Decode(got.PrivateKey)
	k, err := identity.DecodeKey(block.Bytes)
	if err != nil || !k.PublicKey.Equal(leaf(t, got.Certificate).PublicKey) {
		t.Error("the key is not that of the certificate", err)
	}
}

func TestClaim_WithoutAKeyGivesAPassword(t *testing.T) {
	s := newSite(t)
	m := s.make(provision.Want{Type: fleet.Sensor, Room: "deck-1"})
	got, err := s.Claim(t.Context(), provision.Claim{Token: m.SecretText})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(got.Device.ID), "sen-") || got.Certificate != nil {
		t.Errorf("%+v", got)
	}
	if d, err := s.registry.Identify(string(got.Device.ID), []byte(got.Password)); err != nil || d.ID != got.Device.ID {
		t.Error(err)
	}
	if _, err := s.Claim(t.Context(), provision.Claim{Token: m.SecretText}); !errors.Is(err, fleet.ErrState) {
		t.Errorf("a password was told twice: %v", err)
	}
}

func TestClaim_ByLabel(t *testing.T) {
	s := newSite(t)
	key := newKey(t)
	hash, err := identity.KeyID(key)
	if err != nil {
		t.Fatal(err)
	}
	claim := provision.Claim{Hardware: "esp-1", Key: key}
	if _, err := s.Claim(t.Context(), claim); !errors.Is(err, fleet.ErrForbidden) {
		t.Errorf("before the window: %v", err)
	}
	w := button
	w.Hardware, w.Key = "esp-1", strings.ToUpper(hash)
	m := s.make(w)
	if m.SecretText != "" || m.CodeText != "" {
		t.Error("a window has a secret")
	}
	if _, err := s.Claim(t.Context(), provision.Claim{Hardware: "esp-1", Key: newKey(t)}); !errors.Is(err, fleet.ErrForbidden) {
		t.Errorf("another's key: %v", err)
	}
	if _, err := s.Claim(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	w.Hardware = ""
	if _, err := s.Make(t.Context(), chief, w); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("half a label: %v", err)
	}
}

func TestReplace_HistoryStaysAndTheOldHardwareIsOut(t *testing.T) {
	s := newSite(t)
	first, err := s.Claim(t.Context(), provision.Claim{Token: s.make(button).SecretText, Key: newKey(t), Hardware: "old"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Make(t.Context(), chief, button); !errors.Is(err, fleet.ErrExists) {
		t.Errorf("a second device of that name: %v", err)
	}
	m := s.make(provision.Want{Device: "btn-001", Replaces: true})
	second, err := s.Claim(t.Context(), provision.Claim{Token: m.SecretText, Key: newKey(t), Hardware: "new"})
	if err != nil {
		t.Fatal(err)
	}
	if second.Device.Version != first.Device.Version+1 || second.Device.CreatedAt != first.Device.CreatedAt || second.Device.Metadata[provision.HardwareKey] != "new" {
		t.Errorf("%+v", second.Device)
	}
	if _, err := s.pki.Verify(leaf(t, first.Certificate)); !errors.Is(err, pki.ErrRevoked) {
		t.Errorf("the old hardware: %v", err)
	}
	if _, err := s.pki.Verify(leaf(t, second.Certificate)); err != nil {
		t.Errorf("the new hardware: %v", err)
	}
	if err := s.registry.Remove(t.Context(), chief, "btn-001", second.Device.Version); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pki.Verify(leaf(t, second.Certificate)); !errors.Is(err, pki.ErrRevoked) {
		t.Errorf("of a removed device: %v", err)
	}
}

func TestToken_NeitherRevivesNorDiesByTheClock(t *testing.T) {
	s := newSite(t)
	s.stored = s.system
	s.open()
	claim := func(m provision.Made) error {
		_, err := s.Claim(t.Context(), provision.Claim{Token: m.SecretText, Key: newKey(t)})
		return err
	}
	want := func(n int) provision.Want {
		return provision.Want{Type: fleet.Button, Room: "cabin-1", Device: fleet.DeviceID(fmt.Sprint("b", n))}
	}
	// Ten years ahead, which nobody has confirmed: it does not die.
	m := s.make(want(1))
	right := s.system
	s.system = right.AddDate(10, 0, 0)
	if err := claim(m); err != nil {
		t.Errorf("at +10 years: %v", err)
	}
	s.system = right
	// Over by a clock that nobody can set, while the system's stands at 1970.
	m = s.make(want(2))
	s.system = time.Unix(0, 0)
	s.mono += 29 * time.Minute
	if err := s.Sweep(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if tok, err := s.Token(m.ID); err != nil || tok.State != store.TokenOpen {
		t.Errorf("before its time: %+v, %v", tok, err)
	}
	s.mono += 2 * time.Minute
	if err := claim(m); !errors.Is(err, fleet.ErrExpired) {
		t.Errorf("at 1970, after its time: %v", err)
	}
	// A restart with a clock from before its time: what has ended stays ended.
	s.open()
	s.system = right
	s.open()
	if err := claim(m); !errors.Is(err, fleet.ErrForbidden) && !errors.Is(err, fleet.ErrExpired) {
		t.Errorf("after a restart: %v", err)
	}
	if tok, err := s.Token(m.ID); err != nil || tok.State != store.TokenExpired {
		t.Errorf("%+v, %v", tok, err)
	}
}

func TestMake_SaysWhatIsWrong(t *testing.T) {
	s := newSite(t)
	for name, c := range map[string]struct {
		want provision.Want
		err  error
	}{
		"no type":         {provision.Want{Room: "a"}, fleet.ErrInvalid},
		"no room":         {provision.Want{Type: fleet.Button}, fleet.ErrInvalid},
		"the hub's room":  {provision.Want{Type: fleet.Button, Room: "system"}, fleet.ErrInvalid},
		"no such profile": {provision.Want{Type: fleet.Button, Room: "a", Profile: "x"}, fleet.ErrInvalid},
		"for ever":        {provision.Want{Type: fleet.Button, Room: "a", Life: 8 * 24 * time.Hour}, fleet.ErrInvalid},
		"replaces nobody": {provision.Want{Device: "btn-9", Replaces: true}, fleet.ErrNotFound},
	} {
		if _, err := s.Make(t.Context(), chief, c.want); !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 40 {
		_, _ = s.Claim(t.Context(), provision.Claim{Token: "obt_x", From: "10.0.0.9"})
	}
	m := s.make(button)
	if _, err := s.Claim(t.Context(), provision.Claim{Token: m.SecretText, Key: newKey(t), From: "10.0.0.9"}); !errors.Is(err, fleet.ErrLimit) {
		t.Errorf("who has guessed too often: %v", err)
	}
	if _, err := s.Claim(t.Context(), provision.Claim{Token: m.SecretText, Key: newKey(t), From: "10.0.0.10"}); err != nil {
		t.Errorf("who has not: %v", err)
	}
}

func TestPayload_IsSignedAndHasTheSeedsFields(t *testing.T) {
	s := newSite(t)
	m := s.make(button)
	p, err := s.Payload(m)
	if err != nil {
		t.Fatal(err)
	}
	key, kid := s.SigningKey()
	if !p.Verify(key) || p.Kid != kid || p.Version != "2.0" || p.Protocol != "mqtt" || p.Token != m.SecretText ||
		p.Site != "yacht-1" || p.Room != "cabin-101" || p.DeviceType != "button" || p.MQTTBrokerURL != "mqtts://hub:8883" ||
		p.SecurityProfile != "button" || p.CertificateDownloadURL != "https://hub:8443/api/v1/provision/ca.crt" ||
		len(p.ConfigurationHash) != 64 || p.CAFingerprint != identity.Fingerprint(s.pki.ServerAuthority()) || p.Exp != m.ExpiresAt.Unix() {
		t.Errorf("%+v", p)
	}
	forged := p
	forged.EnrolURL = "https://elsewhere/claim"
	if forged.Verify(key) {
		t.Error("a forged address passes")
	}
	got, err := s.Claim(t.Context(), provision.Claim{Token: p.Token, Key: newKey(t)})
	if err != nil || got.Configuration.Hash() != p.ConfigurationHash {
		t.Error("the configuration is another than the code says", err)
	}
	text, err := p.Text()
	if err != nil || strings.Contains(text, `\u00`) {
		t.Error(text, err)
	}
	svg, err := provision.SVG(text)
	if err != nil || !strings.HasPrefix(svg, "<svg") {
		t.Error(err)
	}
	if png, err := provision.PNG(text); err != nil || !slices.Equal(png[:4], []byte("\x89PNG")) {
		t.Error(err)
	}
}

func TestAudit_ToldWithoutSecrets(t *testing.T) {
	s := newSite(t)
	m := s.make(button)
	if _, err := s.Claim(t.Context(), provision.Claim{Token: m.SecretText, Key: newKey(t)}); err != nil {
		t.Fatal(err)
	}
	var actions []string
	err := store.Entities(s.store, "", func(e fleet.AuditEntry) bool {
		actions = append(actions, e.Action)
		for _, v := range e.Detail {
			if strings.Contains(v, m.SecretText) || strings.Contains(v, m.CodeText) {
				t.Errorf("%s tells a secret", e.Action)
			}
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"provision.opened", "device.added", "certificate.issued", "provision.claimed"} {
		if !slices.Contains(actions, want) {
			t.Errorf("%s is missing in %v", want, actions)
		}
	}
}
