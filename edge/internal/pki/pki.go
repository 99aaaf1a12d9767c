package pki

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/secretfile"
)

// ErrMissing: a file of an authority that exists is not there.
var ErrMissing = errors.New("a file of the site's authority is missing")

const (
	day = 24 * time.Hour
	// backdate is for devices whose clocks are behind; it is at most a tenth of a
	// certificate's life, else one that is short would be due at once.
	backdate = 7 * day

	authorityFile = "site-ca-" // and the authority's name
	fleetFile     = "site-ca-fleet"
	serverFile    = "server"
)

// Clock tells the time. Certain is the time by which things expire.
type Clock interface {
	Now() (now time.Time, trusted bool)
	Certain() time.Time
	// AtLeast is told a time that has certainly passed.
	AtLeast(time.Time)
}

// Config is what Open needs. Zero fields take their defaults.
type Config struct {
	// Dir is the data directory; the files are in its directory pki. Empty keeps
	// the keys in memory.
	Dir     string
	Site    fleet.SiteID
	Store   *store.Store
	Journal *journal.Journal
	Clock   Clock
	// Names under which clients reach the hub: host names and addresses. They are
	// asked for when the server certificate is made, and again by Run.
	Names func() []string
	// AuthorityLife of the site's authority; 5 years. A new one is made when
	// RollAt of it is left; 1 year.
	AuthorityLife, RollAt time.Duration
	// DeviceLife of a device's certificate; 2 years. It is renewed when two thirds
	// are over.
	DeviceLife time.Duration
	// ServerLife of the hub's own certificate; 397 days.
	ServerLife time.Duration
	// Quarantine is how long a device whose certificate has expired may still
	// connect, for nothing but to renew it; 90 days.
	Quarantine time.Duration
	// CheckEvery is how often ages are looked at; 1 h.
	CheckEvery time.Duration
	Logger     *slog.Logger
}

// PKI is the authority of one site.
type PKI struct {
	c     Config
	files secretfile.Dir
	known *known

	mu          sync.RWMutex // guards what follows
	authorities []authority  // those whose certificates count; the first issues
	fleetChain  []*x509.Certificate

	server atomic.Pointer[tls.Certificate]
	crls   crls
}

// authority is a certificate with its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Open reads the site's authority, or makes it for a new site.
func Open(c Config) (*PKI, error) {
	c.AuthorityLife = cmp.Or(c.AuthorityLife, 5*365*day)
	c.RollAt = cmp.Or(c.RollAt, 365*day)
	c.DeviceLife = cmp.Or(c.DeviceLife, 2*365*day)
	c.ServerLife = cmp.Or(c.ServerLife, 397*day)
	c.Quarantine = cmp.Or(c.Quarantine, 90*day)
	c.CheckEvery = cmp.Or(c.CheckEvery, time.Hour)
	if c.Names == nil {
		c.Names = func() []string { return nil }
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
	if p.known, err = newKnown(c.Store); err != nil {
		return nil, err
	}
	c.Journal.Follow(p.known.event)
	if err := p.loadAuthorities(); err != nil {
		return nil, err
	}
	// Before the server certificate: one that has expired signs no more.
	if err := p.roll(context.Background()); err != nil {
		return nil, err
	}
	if err := p.loadServer(); err != nil {
		return nil, err
	}
	return p, nil
}

// setting is the name under which the store has which authorities count. It
// decides: files that it does not name are leftovers.
const setting = "site_authorities"

// named are authorities by their names: the first 16 digits of their trust
// domains.
type named struct {
	Current string `json:"current"`
	// Old is being replaced by Current; empty for none.
	Old string `json:"old,omitempty"`
}

func nameOf(c *x509.Certificate) string {
	name, _, _ := strings.Cut(identity.TrustDomain(c), ".")
	return name
}

func (p *PKI) loadAuthorities() error {
	ctx := context.Background()
	names, found, err := store.Setting[named](p.c.Store, setting)
	if err != nil {
		return fmt.Errorf("read which authority the site has: %w", err)
	}
	if !found {
		if names.Current, err = p.leftover(); err != nil {
			return err
		}
	}
	if names.Current == "" || p.files == "" {
		a, err := p.newAuthority()
		if err == nil {
			err = p.settle(ctx, a, authority{})
		}
		return err
	}
	current, err := p.load(names.Current)
	if err != nil {
		return err
	}
	var old authority
	if names.Old != "" {
		if old, err = p.load(names.Old); err != nil {
			return err
		}
	}
	if !found {
		return p.settle(ctx, current, old)
	}
	p.take(current, old)
	chain, err := p.files.Certificates(fleetFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case current.key.PublicKey.Equal(chain[0].PublicKey):
		p.fleetChain = chain
	}
	return nil
}

// leftover is the authority that is on disk although the store knows of none:
// what an interrupted first start leaves, and a store that was taken away.
func (p *PKI) leftover() (string, error) {
	if p.files == "" {
		return "", nil
	}
	certs, err := filepath.Glob(p.files.Path(authorityFile + "*.crt"))
	if err != nil || len(certs) == 0 {
		return "", err
	}
	var names []string
	for _, c := range certs {
		if name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(c), authorityFile), ".crt"); name != "fleet" {
			names = append(names, name)
		}
	}
	if len(names) > 1 {
		return "", fmt.Errorf("%w: %s holds the authorities %v and the store knows none: leave the right one there",
			fleet.ErrState, p.files, names)
	}
	return strings.Join(names, ""), nil
}

// load reads an authority that must be there.
func (p *PKI) load(name string) (authority, error) {
	file := authorityFile + name
	key, cert, err := p.files.Pair(file)
	switch {
	case err != nil:
		return authority{}, err
	case cert == nil:
		return authority{}, fmt.Errorf("%w: %s: put it back, or restore a backup", ErrMissing, p.files.Path(file+".crt"))
	case key == nil:
		return authority{}, fmt.Errorf("%w: %s: put it back, or restore a backup", ErrMissing, p.files.Path(file+".key"))
	case nameOf(cert) != name:
		return authority{}, fmt.Errorf("%w: %s is of the authority %s", secretfile.ErrKeyMismatch, p.files.Path(file+".crt"), nameOf(cert))
	}
	return authority{cert, key}, nil
}

// newAuthority makes an authority; it is one when settle has said so.
func (p *PKI) newAuthority() (authority, error) {
	key, err := identity.NewKey()
	if err != nil {
		return authority{}, err
	}
	subject, err := identity.SiteAuthorityName(p.c.Site, &key.PublicKey)
	if err != nil {
		return authority{}, err
	}
	t := &x509.Certificate{
		Subject: subject, IsCA: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, err := p.sign(t, p.c.AuthorityLife, authority{t, key}, &key.PublicKey)
	if err != nil {
		return authority{}, err
	}
	// The certificate last: without it the key is nobody's.
	file := authorityFile + nameOf(cert)
	if err := errors.Join(p.files.PutKey(file, key), p.files.PutCertificates(file, cert)); err != nil {
		return authority{}, err
	}
	p.c.Logger.Info("authority of the site made", "fingerprint", identity.Fingerprint(cert), "not_after", cert.NotAfter)
	return authority{cert, key}, nil
}

// settle writes which authorities count, and the certificate of a new one into
// the journal; from then on they do.
func (p *PKI) settle(ctx context.Context, current, old authority) error {
	names := named{Current: nameOf(current.cert)}
	if old.cert != nil {
		names.Old = nameOf(old.cert)
	}
	err := p.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		tx.Essential()
		if err := tx.PutSetting(setting, names); err != nil {
			return err
		}
		return p.record(tx, fleet.System("pki"), current.cert, current, fleet.CertificateAuthority, "")
	})
	if err != nil {
		return fmt.Errorf("store which authority the site has: %w", err)
	}
	p.take(current, old)
	return nil
}

// take has the authorities count in this process.
func (p *PKI) take(current, old authority) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.authorities = []authority{current}
	if old.cert != nil {
		p.authorities = append(p.authorities, old)
	}
	p.c.Clock.AtLeast(current.cert.NotBefore)
}

// record appends that a certificate was issued, once.
func (p *PKI) record(tx *journal.Tx, by fleet.Actor, cert *x509.Certificate, issuer authority, kind fleet.CertificateKind, device fleet.DeviceID) error {
	key, err := identity.KeyID(cert.PublicKey)
	if err != nil {
		return err
	}
	issuerKey, err := identity.KeyID(&issuer.key.PublicKey)
	if err != nil {
		return err
	}
	serial := serialOf(cert)
	if _, found, err := fleet.Get[fleet.Certificate](tx, fleet.CertificateRef(serial)); err != nil || found {
		return err
	}
	return tx.Append(by, fleet.CertificateChanged{Certificate: fleet.Certificate{
		Serial: serial, Kind: kind, Device: device, Fingerprint: identity.Fingerprint(cert), Key: key, Authority: issuerKey,
		IssuedAt: tx.Now(), NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(), Version: 1,
	}})
}

// serialOf is the serial number as records have it.
func serialOf(c *x509.Certificate) string { return hex.EncodeToString(c.SerialNumber.Bytes()) }

// sign fills in what all certificates have, and signs t.
func (p *PKI) sign(t *x509.Certificate, life time.Duration, by authority, pub *ecdsa.PublicKey) (*x509.Certificate, error) {
	var err error
	if t.SerialNumber, err = identity.NewSerial(); err != nil {
		return nil, err
	}
	// By the certain time: a clock that has jumped ahead must not make certificates
	// that nobody else takes.
	t.NotBefore = p.c.Clock.Certain().UTC().Add(-min(backdate, life/10)).Truncate(time.Second)
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

// issuer is the authority that issues, and those whose certificates count.
func (p *PKI) issuer() authority {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.authorities[0]
}

func (p *PKI) counting() []authority {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.authorities
}

// Authority is the certificate, signed by itself, of the authority that issues.
func (p *PKI) Authority() *x509.Certificate { return p.issuer().cert }

// ServerAuthority is the one that the hub's own certificate is under: who knows
// no other certificate of the site must know this.
func (p *PKI) ServerAuthority() *x509.Certificate { return p.serverIssuer().cert }

// TrustDomain is the name of the site in certificates.
func (p *PKI) TrustDomain() string { return identity.TrustDomain(p.Authority()) }

// Anchors are the certificates that a client of the hub is to trust: the site's
// authority, and, while it is being replaced, the one before it.
func (p *PKI) Anchors() []*x509.Certificate {
	var all []*x509.Certificate
	for _, a := range p.counting() {
		all = append(all, a.cert)
	}
	return all
}

// Request returns a certificate request (PKCS #10, DER) with which the fleet
// root certifies the site's authority.
func (p *PKI) Request() ([]byte, error) {
	a := p.issuer()
	return identity.RequestFor(a.key, a.cert.Subject)
}

// Certified takes the authority's certificate as the fleet root has signed it,
// with what it needs up to the root. fleet.ErrInvalid when it is for another key.
func (p *PKI) Certified(chain []*x509.Certificate) error {
	a := p.issuer()
	if len(chain) < 2 || !a.key.PublicKey.Equal(chain[0].PublicKey) || !chain[0].IsCA {
		return fmt.Errorf("%w: the fleet's certificate is not of this site's authority", fleet.ErrInvalid)
	}
	if err := chain[0].CheckSignatureFrom(chain[1]); err != nil {
		return fmt.Errorf("%w: the fleet's certificate of this site's authority: %w", fleet.ErrInvalid, err)
	}
	if err := p.files.PutCertificates(fleetFile, chain...); err != nil {
		return err
	}
	p.mu.Lock()
	p.fleetChain = chain
	p.mu.Unlock()
	p.c.Clock.AtLeast(chain[0].NotBefore)
	p.serve(p.server.Load().Leaf, p.server.Load().PrivateKey.(*ecdsa.PrivateKey))
	p.c.Logger.Info("authority of the site certified by the fleet", "fleet_root", identity.Fingerprint(chain[len(chain)-1]))
	return nil
}

// Fleet is the authority's certificate under the fleet root, and that; nil for a
// site without a fleet.
func (p *PKI) Fleet() []*x509.Certificate {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.fleetChain
}

// Run renews what the hub itself needs when it is time, until ctx ends.
func (p *PKI) Run(ctx context.Context) error {
	tick := time.NewTicker(p.c.CheckEvery)
	defer tick.Stop()
	for {
		if err := p.Renew(ctx); err != nil && ctx.Err() == nil {
			p.c.Logger.Error("certificates of the hub not renewed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Renew looks once whether the authority or the server certificate is to be
// replaced, and does it.
func (p *PKI) Renew(ctx context.Context) error {
	if err := p.roll(ctx); err != nil {
		return err
	}
	return p.renewServer(ctx)
}

// Trust returns a certificate pool of Anchors.
func (p *PKI) Trust() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range p.Anchors() {
		pool.AddCert(c)
	}
	return pool
}

// subjectOf is how people see whose certificate it is; nothing goes by it.
func subjectOf(name string, site fleet.SiteID) pkix.Name {
	return pkix.Name{CommonName: name, Organization: []string{"Obedio site " + string(site)}}
}
