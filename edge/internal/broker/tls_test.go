package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/edge/internal/broker/frame"
)

// selfSigned is a server's TLS setting for a test.
func selfSigned(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"hub"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}

func startTLS(t *testing.T) *rig {
	setting := selfSigned(t)
	return startMem(t, func(c *Config) { c.Listeners[0].Net = tls.NewListener(c.Listeners[0].Net, setting) })
}

func TestTLS_CarriesASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startTLS(t)
		d := button("btn-001")
		r.people.device(t, d)
		plain, err := r.mem.dial()
		if err != nil {
			t.Fatal(err)
		}
		// The certificate is not what this test is about.
		c := newRaw(t, tls.Client(plain, &tls.Config{InsecureSkipVerify: true}), frame.V311)
		c.signIn("btn-001", nil)
		c.publish(pressTopic(d), 1, 1, "x")
		c.wantAck(frame.PUBACK, 1)
		if !r.people.seen[0].TLS {
			t.Fatal("the authenticator was not told")
		}
		r.stop()
	})
}

// Row 1.
func TestTLS_SilentHandshakeEndsAfterItsTimeAndWithTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startTLS(t)
		c := r.dialMem(t, frame.V311)
		begin := time.Now()
		c.wantClosed()
		if took := time.Since(begin); took != 10*time.Second {
			t.Fatalf("closed after %v", took)
		}
		synctest.Wait()
		if n := r.Stats().Refused[RefusedHandshake]; n != 1 {
			t.Fatalf("counted %d", n)
		}
		c = r.dialMem(t, frame.V311)
		synctest.Wait()
		begin = time.Now()
		r.stop()
		c.wantClosed()
		if took := time.Since(begin); took != 0 {
			t.Fatalf("stopped after %v", took)
		}
	})
}
