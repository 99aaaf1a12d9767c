package device

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

// authority certifies devices for a test.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key}
	a.cert = a.sign(&x509.Certificate{IsCA: true, NotAfter: time.Now().AddDate(5, 0, 0)}, &key.PublicKey)
	return a
}

func (a *authority) sign(c *x509.Certificate, pub *ecdsa.PublicKey) *x509.Certificate {
	a.t.Helper()
	var err error
	if c.SerialNumber, err = identity.NewSerial(); err != nil {
		a.t.Fatal(err)
	}
	c.Subject, c.BasicConstraintsValid, c.NotBefore = pkix.Name{CommonName: "test"}, true, time.Now()
	parent := a.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// answer is what the hub sends for a certificate request.
func (a *authority) answer(csr string, life time.Duration) []byte {
	a.t.Helper()
	block, _ := pem.Decode([]byte(csr))
	if block == nil {
		a.t.Fatalf("no request: %q", csr)
	}
	pub, err := identity.RequestedKey(block.Bytes)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf := a.sign(&x509.Certificate{NotAfter: time.Now().Add(life)}, pub)
	return append(identity.PEM(leaf.Raw), identity.PEM(a.cert.Raw)...)
}

// credentials are those of a device that has joined.
func (a *authority) credentials(life time.Duration) Credentials {
	a.t.Helper()
	key, err := newKey()
	if err != nil {
		a.t.Fatal(err)
	}
	csr, err := requestFor(key, "dev-1")
	if err != nil {
		a.t.Fatal(err)
	}
	c := Credentials{Key: key}
	if c.Certificate, c.Anchors, err = bundle(a.answer(string(csr), life)); err != nil {
		a.t.Fatal(err)
	}
	return c
}

// tell has the hub tell the time, or send the answer to a certificate request.
func (a *air) tell(topic string, payload []byte) {
	a.mu.Lock()
	up := a.up
	a.mu.Unlock()
	up.receive(topic, payload, true)
	synctest.Wait()
}

func (a *air) tellTime(t time.Time) {
	a.tell("obedio/yacht-1/system/time", []byte(`{"time":"`+t.UTC().Format(time.RFC3339)+`"}`))
}

func (a *air) topics() (all []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.taken {
		all = append(all, m.topic[len(base+"button/dev-1/"):])
	}
	return all
}

func TestRenewal_AsksAtTwoThirdsByTheHubsTimeAndConnectsWithWhatItGets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newAuthority(t)
		had := ca.credentials(90 * time.Hour)
		kept := 0
		d, a, end := live(t, Config{Type: fleet.Button, Saved: Saved{Credentials: had}, Keep: func() error { kept++; return nil }})
		defer end()
		d.PowerOn()
		synctest.Wait()
		a.tellTime(time.Now().Add(30 * time.Hour)) // the device's own clock is behind
		time.Sleep(29 * time.Hour)
		if n := len(a.sent("/renew")); n != 0 {
			t.Fatalf("asked %d times too early", n)
		}
		time.Sleep(3 * time.Hour)
		asked := a.sent("/renew")
		if len(asked) < 2 || len(asked) > 20 || kept == 0 { // it gets no answer
			t.Fatalf("asked %d times; kept %d times", len(asked), kept)
		}
		dials := a.dials
		a.tell(d.c.BaseTopic+"/cmd/certificate", ca.answer(asked[0], 90*time.Hour))
		now := d.Saved().Credentials
		if now.Certificate == had.Certificate || now.Key == had.Key || now.NextKey != "" || now.Check() != nil {
			t.Errorf("%+v", now)
		}
		if f := d.Ledger().Facts(); a.dials != dials+1 || a.goodbyes != 1 || !f.Online || f.Lost != 0 || f.Renewed != 1 {
			t.Errorf("%d connections, %d goodbyes, %+v", a.dials-dials, a.goodbyes, f)
		}
		// The answer comes again.
		a.tell(d.c.BaseTopic+"/cmd/certificate", ca.answer(asked[0], 90*time.Hour))
		if d.Saved().Credentials != now {
			t.Error("took it twice")
		}
	})
}

func TestRenewal_WithACertificateThatHasExpiredNothingElseIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newAuthority(t)
		d, a, end := live(t, Config{Type: fleet.Button, Saved: Saved{Credentials: ca.credentials(time.Hour)}})
		defer end()
		time.Sleep(2 * time.Hour)
		d.PowerOn()
		synctest.Wait()
		a.tellTime(time.Now())
		d.Press(PressKind{})
		time.Sleep(time.Minute)
		for _, topic := range a.topics() {
			if topic != "renew" {
				t.Errorf("it said %s", topic)
			}
		}
		a.tell(d.c.BaseTopic+"/cmd/certificate", ca.answer(a.sent("/renew")[0], time.Hour))
		a.tellTime(time.Now())
		if len(a.sent("/status")) != 1 || len(a.sent("/press")) != 1 {
			t.Errorf("it does not go on: %v", a.topics())
		}
	})
}

func TestRenewal_AfterALossOfPowerItAsksWithTheSameKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newAuthority(t)
		d, a, end := live(t, Config{Type: fleet.Button, Saved: Saved{Credentials: ca.credentials(time.Hour)}})
		defer end()
		time.Sleep(45 * time.Minute)
		d.PowerOn()
		synctest.Wait()
		a.tellTime(time.Now())
		d.PowerOff()
		d.PowerOn()
		synctest.Wait()
		a.tellTime(time.Now())
		asked := a.sent("/renew")
		var keys []string
		for _, csr := range asked {
			block, _ := pem.Decode([]byte(csr))
			pub, err := identity.RequestedKey(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			id, err := identity.KeyID(pub)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, id)
		}
		if len(keys) != 2 || keys[0] != keys[1] {
			t.Errorf("asked for the keys %v", keys)
		}
	})
}
