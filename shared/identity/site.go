package identity

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Constraints says whether a site's authority is bound, by the name constraints
// of RFC 5280 (4.2.1.10), to name devices of its own site only.
type Constraints string

// The settings. A client that does not know the extension refuses a certificate
// in which it is critical.
const (
	ConstraintsCritical    Constraints = "critical"
	ConstraintsNonCritical Constraints = "non-critical"
	ConstraintsOff         Constraints = "off"
)

// ParseConstraints returns s as one of the settings, ConstraintsNonCritical if it
// is empty; fleet.ErrInvalid.
func ParseConstraints(s string) (Constraints, error) {
	switch c := Constraints(s); c {
	case "":
		return ConstraintsNonCritical, nil
	case ConstraintsCritical, ConstraintsNonCritical, ConstraintsOff:
		return c, nil
	}
	return "", fmt.Errorf("%w: name constraints %q: want critical, non-critical or off", fleet.ErrInvalid, s)
}

// SignSiteAuthority certifies the key of a site's authority under a fleet root:
// the same subject as in the request (PKCS #10, DER), no authority below it.
// fleet.ErrInvalid for a request of another form than a hub's.
func SignSiteAuthority(root *x509.Certificate, key crypto.Signer, csr []byte, begin, end time.Time, c Constraints) (*x509.Certificate, error) {
	pub, err := RequestedKey(csr)
	if err != nil {
		return nil, err
	}
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate request: %w", fleet.ErrInvalid, err)
	}
	id, err := KeyID(pub)
	if err != nil {
		return nil, err
	}
	if req.Subject.SerialNumber != id[:16] {
		return nil, fmt.Errorf("%w: certificate request is not of a site's authority", fleet.ErrInvalid)
	}
	serial, err := NewSerial()
	if err != nil {
		return nil, err
	}
	if end.After(root.NotAfter) {
		end = root.NotAfter
	}
	t := &x509.Certificate{
		SerialNumber: serial, RawSubject: req.RawSubject, NotBefore: begin.UTC().Truncate(time.Second), NotAfter: end.UTC(),
		IsCA: true, MaxPathLenZero: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if c != ConstraintsOff {
		t.PermittedURIDomains = []string{id[:16] + trustSuffix}
		t.PermittedDNSDomainsCritical = c == ConstraintsCritical // the whole extension
	}
	der, err := x509.CreateCertificate(rand.Reader, t, root, pub, key)
	if err != nil {
		return nil, fmt.Errorf("certify a site's authority: %w", err)
	}
	return x509.ParseCertificate(der)
}
