package pki

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

// Why a client's certificate does not count; each is fleet.ErrUnauthenticated.
var (
	ErrOtherAuthority = fmt.Errorf("%w: certificate of another authority than this site's", fleet.ErrUnauthenticated)
	ErrNotForClients  = fmt.Errorf("%w: certificate is not for clients", fleet.ErrUnauthenticated)
	ErrUnknown        = fmt.Errorf("%w: certificate is not one that this hub has issued", fleet.ErrUnauthenticated)
	ErrRevoked        = fmt.Errorf("%w: certificate was revoked", fleet.ErrUnauthenticated)
	ErrExpired        = fmt.Errorf("%w: certificate has expired", fleet.ErrUnauthenticated)
	ErrNotYet         = fmt.Errorf("%w: certificate is not valid yet", fleet.ErrUnauthenticated)
)

// Shown is what a client's certificate says.
type Shown struct {
	Device fleet.DeviceID
	Serial string
	// RenewOnly: it has expired, and all that the device may do is to renew it.
	RenewOnly bool
}

// Verify reads a client's certificate: who signed it, the one name, its use, its
// time, and whether it was revoked. Errors are the above, and what
// identity.Device says.
func (p *PKI) Verify(leaf *x509.Certificate) (Shown, error) {
	all := p.counting()
	i := slices.IndexFunc(all, func(a authority) bool { return leaf.CheckSignatureFrom(a.cert) == nil })
	if i < 0 {
		return Shown{}, ErrOtherAuthority
	}
	if leaf.IsCA || !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return Shown{}, ErrNotForClients
	}
	device, err := identity.Device(all[i].cert, leaf)
	if err != nil {
		return Shown{}, err
	}
	s := Shown{Device: device, Serial: serialOf(leaf)}
	c, ok := p.known.certificate(s.Serial)
	against := func(why error) (Shown, error) {
		return s, fmt.Errorf("%w (device %s, serial %s)", why, device, s.Serial)
	}
	if !ok || c.Fingerprint != identity.Fingerprint(leaf) || c.Device != device {
		return against(ErrUnknown)
	}
	if c.Revoked() {
		return against(ErrRevoked)
	}
	now, trusted := p.c.Clock.Now()
	// A clock that cannot be right says nothing against a certificate that this
	// hub has made itself.
	if trusted && now.Before(leaf.NotBefore) {
		return against(ErrNotYet)
	}
	if certain := p.c.Clock.Certain(); certain.After(leaf.NotAfter) {
		if certain.After(leaf.NotAfter.Add(p.c.Quarantine)) {
			return against(ErrExpired)
		}
		s.RenewOnly = true
	}
	return s, nil
}

// Standing is what Verify would say of a certificate with that serial number
// that was shown before.
func (p *PKI) Standing(serial string) (Shown, error) {
	c, ok := p.known.certificate(serial)
	s := Shown{Device: c.Device, Serial: serial}
	switch certain := p.c.Clock.Certain(); {
	case !ok:
		return s, ErrUnknown
	case c.Revoked():
		return s, ErrRevoked
	case certain.After(c.NotAfter.Add(p.c.Quarantine)):
		return s, ErrExpired
	default:
		s.RenewOnly = certain.After(c.NotAfter)
	}
	return s, nil
}

// IssueIn certifies a key as a device's, inside a decision. Only P-256 keys are
// certified; the caller has seen a proof that the device has it.
func (p *PKI) IssueIn(tx *journal.Tx, by fleet.Actor, device fleet.DeviceID, pub *ecdsa.PublicKey) (*x509.Certificate, error) {
	issuer := p.issuer()
	cert, err := p.sign(&x509.Certificate{
		Subject: subjectOf(string(device), p.c.Site), URIs: []*url.URL{identity.DeviceURI(issuer.cert, device)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, p.c.DeviceLife, issuer, pub)
	if err != nil {
		return nil, err
	}
	if err := p.record(tx, by, cert, issuer, fleet.CertificateDevice, device); err != nil {
		return nil, err
	}
	tx.PutCertificate(serialOf(cert), cert.Raw)
	return cert, nil
}

// RevokeIn takes a certificate back, inside a decision. fleet.ErrNotFound;
// ErrState when it was revoked before, or is not a device's.
func (p *PKI) RevokeIn(tx *journal.Tx, by fleet.Actor, serial string, why fleet.RevocationReason) error {
	c, found, err := fleet.Get[fleet.Certificate](tx, fleet.CertificateRef(serial))
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("%w: certificate %s", fleet.ErrNotFound, serial)
	case c.Revoked():
		return fmt.Errorf("%w: certificate %s was revoked at %s", fleet.ErrState, serial, c.RevokedAt.Format(time.RFC3339))
	case c.Kind != fleet.CertificateDevice:
		return fmt.Errorf("%w: certificate %s is the hub's own (%s), which is replaced, not revoked", fleet.ErrState, serial, c.Kind)
	}
	c.RevokedAt, c.Reason = tx.Now(), why
	c.Version++
	if err := tx.Append(by, fleet.CertificateChanged{Certificate: c}); err != nil {
		return err
	}
	return p.crls.bump(tx)
}

// RevokeAllIn takes all certificates of a device back but one ("" for none),
// inside a decision, and says how many.
func (p *PKI) RevokeAllIn(tx *journal.Tx, by fleet.Actor, device fleet.DeviceID, but string, why fleet.RevocationReason) (int, error) {
	n := 0
	for _, c := range p.known.of(device) {
		if c.Revoked() || c.Serial == but {
			continue
		}
		if err := p.RevokeIn(tx, by, c.Serial, why); err != nil {
			if errors.Is(err, fleet.ErrState) {
				continue // meanwhile, in this or another decision
			}
			return n, err
		}
		n++
	}
	return n, nil
}

// Revoke is RevokeIn as a decision of its own.
func (p *PKI) Revoke(ctx context.Context, by fleet.Actor, serial string, why fleet.RevocationReason) error {
	return p.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		tx.Essential()
		return p.RevokeIn(tx, by, serial, why)
	})
}

// Certificate returns what is known of a certificate; fleet.ErrNotFound.
func (p *PKI) Certificate(serial string) (fleet.Certificate, error) {
	c, ok := p.known.certificate(serial)
	if !ok {
		return c, fmt.Errorf("%w: certificate %s", fleet.ErrNotFound, serial)
	}
	return c, nil
}

// Of returns the certificates of a device, the newest first.
func (p *PKI) Of(device fleet.DeviceID) []fleet.Certificate { return p.known.of(device) }

// Bytes returns a device's certificate, DER; false when the hub has it no more.
func (p *PKI) Bytes(serial string) ([]byte, bool, error) {
	return store.CertificateBytes(p.c.Store, serial)
}

// Due reports whether a certificate is to be renewed: two thirds of its time are
// over, or the authority that signed it is being replaced.
func (p *PKI) Due(c fleet.Certificate) bool {
	if c.Kind != fleet.CertificateDevice || c.Revoked() {
		return false
	}
	due := c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) * 2 / 3)
	key, err := identity.KeyID(&p.issuer().key.PublicKey)
	return err == nil && (!p.c.Clock.Certain().Before(due) || c.Authority != key)
}

// RenewIn gives a device a new certificate in the place of the one that it came
// with (its serial number; empty for none), inside a decision: PEM, with the
// certificates that the device is to trust behind it. Asked again for the same
// key it gives the same. fleet.ErrState when it is not time yet.
func (p *PKI) RenewIn(tx *journal.Tx, by fleet.Actor, device fleet.DeviceID, with string, pub *ecdsa.PublicKey) ([]byte, error) {
	key, err := identity.KeyID(pub)
	if err != nil {
		return nil, err
	}
	all := p.known.of(device)
	if len(all) > 0 && !all[0].Revoked() && all[0].Key == key && all[0].Serial != with {
		der, found, err := store.CertificateBytes(p.c.Store, all[0].Serial)
		if err != nil || found {
			return p.Bundle(der), err
		}
	}
	i := slices.IndexFunc(all, func(c fleet.Certificate) bool { return c.Serial == with })
	if i < 0 {
		return nil, fmt.Errorf("%w: only who has shown a certificate of this hub has one to renew", fleet.ErrForbidden)
	}
	if !p.Due(all[i]) {
		return nil, fmt.Errorf("%w: the certificate is good until %s: renew it when two thirds of its time are over",
			fleet.ErrState, all[i].NotAfter.Format(time.RFC3339))
	}
	cert, err := p.IssueIn(tx, by, device, pub)
	if err != nil {
		return nil, err
	}
	return p.Bundle(cert.Raw), nil
}

// Bundle is a certificate (DER) in PEM, with the certificates that a device is
// to trust behind it.
func (p *PKI) Bundle(der []byte) []byte {
	return append(identity.PEM(der), p.AnchorsPEM()...)
}

// AnchorsPEM are Anchors in PEM.
func (p *PKI) AnchorsPEM() []byte {
	var out []byte
	for _, c := range p.Anchors() {
		out = append(out, identity.PEM(c.Raw)...)
	}
	return out
}

// ParseRequest reads a certificate request, DER or PEM, and returns the key that
// it proves possession of: P-256 only. fleet.ErrInvalid.
func ParseRequest(b []byte) (*ecdsa.PublicKey, error) {
	if block, _ := pem.Decode(b); block != nil {
		if block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST" {
			return nil, fmt.Errorf("%w: PEM with %s: want CERTIFICATE REQUEST", fleet.ErrInvalid, block.Type)
		}
		b = block.Bytes
	}
	return identity.RequestedKey(b)
}
