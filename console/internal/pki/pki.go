// Package pki holds the console's authorities: the fleet root, under which
// everything of a fleet is, and the console authority, which signs the
// identities of hubs; and the server certificate of the hub link.
//
// On disk, in DIR/pki: fleet-root, console-ca and hublink, each with a .key
// (PKCS #8, PEM, mode 0600) and a .crt (PEM). Authorities are made once, at
// the first start. What always holds: a key that is missing, unreadable or not
// of its certificate is an error that names the file, and never a reason to
// make another authority; certificates are dated back 7 days, for hubs whose
// clocks are behind; the server certificate is renewed when two thirds of its
// time are over.
//
// Only the standard library's cryptography is used. All methods may be called
// from any goroutine; Run from one.
package pki

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/secretfile"
)

// What can be wrong with the files.
var (
	// ErrMissing: a file of an authority that exists is not there.
	ErrMissing = errors.New("a file of the authority is missing")
	// ErrOtherRoot: the fleet root is not the one that the fleet knows.
	ErrOtherRoot = errors.New("the fleet root is not the one of this fleet")
)

const (
	day = 24 * time.Hour
	// backdate is for hubs whose clocks are behind.
	backdate   = 7 * day
	rootYears  = 20
	hubYears   = 2
	serverDays = 397
)

// Config is what Open needs. Zero fields take their defaults.
type Config struct {
	// Dir is the data directory; the files are in its directory pki. Empty keeps
	// everything in memory.
	Dir string
	// Root is the fingerprint of the fleet root that the fleet knows. Empty: the
	// fleet is new, and an authority may be made.
	Root string
	// Now is the clock; time.Now.
	Now func() time.Time
	// CheckEvery is how often the server certificate's age is looked at; 1 h.
	CheckEvery time.Duration
	Logger     *slog.Logger
}

// PKI is the console's authorities.
type PKI struct {
	c       Config
	files   secretfile.Dir
	root    authority
	console authority
	server  atomic.Pointer[tls.Certificate]
}

// authority is a certificate with its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Open reads the authorities, or makes them for a new fleet.
func Open(c Config) (*PKI, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.CheckEvery == 0 {
		c.CheckEvery = time.Hour
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	p := &PKI{c: c}
	if c.Dir != "" {
		p.files = secretfile.Dir(filepath.Join(c.Dir, "pki"))
	}
	if err := p.files.Make(); err != nil {
		return nil, err
	}
	var err error
	if p.root, err = p.load("fleet-root", elliptic.P384(), p.newRoot); err != nil {
		return nil, err
	}
	if c.Root != "" && c.Root != p.Fingerprint() {
		return nil, fmt.Errorf("%w: %s has the fingerprint %s, the fleet knows %s",
			ErrOtherRoot, p.files.Path("fleet-root.crt"), p.Fingerprint(), c.Root)
	}
	if p.console, err = p.load("console-ca", elliptic.P256(), p.newConsole); err != nil {
		return nil, err
	}
	if err := p.console.cert.CheckSignatureFrom(p.root.cert); err != nil {
		return nil, fmt.Errorf("%w: %s is not signed by it: %w", ErrOtherRoot, p.files.Path("console-ca.crt"), err)
	}
	if err := p.loadServer(); err != nil {
		return nil, err
	}
	return p, nil
}

// load reads an authority, or makes it for a new fleet. A key without a
// certificate is what an interrupted first start leaves: it is used.
func (p *PKI) load(name string, curve elliptic.Curve, issue func(*ecdsa.PrivateKey) (*x509.Certificate, error)) (authority, error) {
	var a authority
	key, cert, err := p.files.Pair(name)
	switch {
	case err != nil:
		return a, err
	case cert != nil && key != nil:
		return authority{cert, key}, nil
	case p.c.Root != "" || cert != nil:
		missing := name + ".crt"
		if key == nil {
			missing = name + ".key"
		}
		return a, fmt.Errorf("%w: %s: put it back", ErrMissing, p.files.Path(missing))
	}
	if key == nil {
		if key, err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			return a, fmt.Errorf("make key %s: %w", name, err)
		}
		if err := p.files.PutKey(name, key); err != nil {
			return a, err
		}
	}
	if cert, err = issue(key); err != nil {
		return a, fmt.Errorf("make certificate %s: %w", name, err)
	}
	if err := p.files.PutCertificates(name, cert); err != nil {
		return a, err
	}
	p.c.Logger.Info("authority made", "name", name, "fingerprint", identity.Fingerprint(cert), "not_after", cert.NotAfter)
	return authority{cert, key}, nil
}

// sign fills in what all certificates have, and signs t.
func (p *PKI) sign(t *x509.Certificate, life time.Duration, by authority, pub *ecdsa.PublicKey) (*x509.Certificate, error) {
	var err error
	if t.SerialNumber, err = identity.NewSerial(); err != nil {
		return nil, err
	}
	t.NotBefore = p.c.Now().UTC().Add(-backdate).Truncate(time.Second)
	t.NotAfter = t.NotBefore.Add(life)
	if by.cert != t && by.cert.NotAfter.Before(t.NotAfter) {
		t.NotAfter = by.cert.NotAfter
	}
	t.BasicConstraintsValid = true
	der, err := x509.CreateCertificate(rand.Reader, t, by.cert, pub, by.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", t.Subject, err)
	}
	return x509.ParseCertificate(der)
}

func (p *PKI) newRoot(key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	t := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Obedio fleet root"}, IsCA: true, MaxPathLen: 1,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	return p.sign(t, rootYears*365*day, authority{t, key}, &key.PublicKey)
}

func (p *PKI) newConsole(key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	t := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Obedio console authority"}, IsCA: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	return p.sign(t, rootYears*365*day, p.root, &key.PublicKey)
}

// Root is the fleet root's certificate.
func (p *PKI) Root() *x509.Certificate { return p.root.cert }

// Fingerprint is that of the fleet root.
func (p *PKI) Fingerprint() string { return identity.Fingerprint(p.root.cert) }

// Authority is the certificate that hubs' identities are signed with.
func (p *PKI) Authority() *x509.Certificate { return p.console.cert }

// SignHub gives a hub its identity: for the link only, two years. The chain is
// DER, leaf first; the console authority is what a hub's certificate leads to,
// and not part of it.
func (p *PKI) SignHub(hub fleet.HubID, pub *ecdsa.PublicKey) (chain [][]byte, notAfter time.Time, err error) {
	cert, err := p.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "hub " + string(hub)}, URIs: []*url.URL{identity.HubURI(p.console.cert, hub)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, hubYears*365*day, p.console, pub)
	if err != nil {
		return nil, time.Time{}, err
	}
	return [][]byte{cert.Raw}, cert.NotAfter, nil
}

// Run renews the server certificate when it is time, until ctx ends.
func (p *PKI) Run(ctx context.Context) error {
	tick := time.NewTicker(p.c.CheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := p.renewServer(); err != nil {
				p.c.Logger.Error("server certificate not renewed", "error", err)
			}
		}
	}
}
