package fleet

import (
	"encoding/hex"
	"fmt"
	"time"
)

// CertificateKind says what a certificate is for.
type CertificateKind string

// The kinds of certificates that a site's authority is the issuer of.
const (
	// CertificateDevice shows which device a client is.
	CertificateDevice CertificateKind = "device"
	// CertificateServer is what the hub shows to clients.
	CertificateServer CertificateKind = "server"
	// CertificateAuthority is the site's authority itself.
	CertificateAuthority CertificateKind = "authority"
)

// RevocationReason says why a certificate does not count any more: the words
// of RFC 5280, 5.3.1, that a site has use for.
type RevocationReason string

// The reasons.
const (
	RevokedUnspecified RevocationReason = "unspecified"
	RevokedCompromised RevocationReason = "key_compromise"
	RevokedSuperseded  RevocationReason = "superseded"
	RevokedCeased      RevocationReason = "cessation_of_operation"
)

// Code is the CRLReason of RFC 5280, 5.3.1.
func (r RevocationReason) Code() int {
	switch r {
	case RevokedCompromised:
		return 1
	case RevokedSuperseded:
		return 4
	case RevokedCeased:
		return 5
	case RevokedUnspecified:
	}
	return 0
}

// ParseRevocationReason returns s as a reason; unspecified if empty.
func ParseRevocationReason(s string) (RevocationReason, error) {
	switch r := RevocationReason(s); r {
	case "":
		return RevokedUnspecified, nil
	case RevokedUnspecified, RevokedCompromised, RevokedSuperseded, RevokedCeased:
		return r, nil
	}
	return "", fmt.Errorf("%w: reason %q: want unspecified, key_compromise, superseded or cessation_of_operation", ErrInvalid, s)
}

// Certificate is what is known of a certificate; its bytes stay on the hub.
type Certificate struct {
	// Serial number in hexadecimal digits, two a byte.
	Serial string          `json:"serial"`
	Kind   CertificateKind `json:"kind"`
	// Device that it names; empty but for CertificateDevice.
	Device DeviceID `json:"device_id,omitempty"`
	// Fingerprint is the SHA-256 of the certificate; Key that of its public key
	// (SubjectPublicKeyInfo); Authority that of the issuer's public key. 64
	// hexadecimal digits each.
	Fingerprint string    `json:"fingerprint_sha256"`
	Key         string    `json:"key_sha256"`
	Authority   string    `json:"authority_key_sha256"`
	IssuedAt    time.Time `json:"issued_at"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	// RevokedAt is zero while the certificate counts.
	RevokedAt time.Time        `json:"revoked_at,omitzero"`
	Reason    RevocationReason `json:"reason,omitempty"`
	// Version is 1 when it is issued, and 2 when it is revoked.
	Version uint64 `json:"version"`
}

// Revoked reports whether the certificate was revoked.
func (c Certificate) Revoked() bool { return !c.RevokedAt.IsZero() }

// Check reports as ErrInvalid what is wrong with a certificate's data.
func (c Certificate) Check() error {
	if _, err := hex.DecodeString(c.Serial); err != nil || c.Serial == "" || len(c.Serial) > 40 {
		return fmt.Errorf("%w: certificate serial %q", ErrInvalid, c.Serial)
	}
	switch c.Kind {
	case CertificateDevice:
		if _, err := ParseDeviceID(string(c.Device)); err != nil {
			return err
		}
	case CertificateServer, CertificateAuthority:
		if c.Device != "" {
			return fmt.Errorf("%w: certificate %s of kind %s names a device", ErrInvalid, c.Serial, c.Kind)
		}
	default:
		return fmt.Errorf("%w: certificate %s of kind %q", ErrInvalid, c.Serial, c.Kind)
	}
	for name, s := range map[string]string{"fingerprint": c.Fingerprint, "key": c.Key, "authority key": c.Authority} {
		if b, err := hex.DecodeString(s); err != nil || len(b) != 32 {
			return fmt.Errorf("%w: certificate %s: %s is not 64 hexadecimal digits", ErrInvalid, c.Serial, name)
		}
	}
	if !c.NotAfter.After(c.NotBefore) {
		return fmt.Errorf("%w: certificate %s ends before it begins", ErrInvalid, c.Serial)
	}
	if c.Revoked() != (c.Version > 1) {
		return fmt.Errorf("%w: certificate %s: revoked=%t at version %d", ErrInvalid, c.Serial, c.Revoked(), c.Version)
	}
	return nil
}

// Ref implements Entity.
func (c Certificate) Ref() Ref { return CertificateRef(c.Serial) }

// CertificateRef names a certificate.
func CertificateRef(serial string) Ref { return Ref{EntityCertificate, serial} }

// CertificateChanged: a certificate was issued or revoked. All that is known of
// it is told.
type CertificateChanged struct{ Certificate Certificate }

// Kind implements Body.
func (CertificateChanged) Kind() Kind { return KindCertificateChanged }

// Lane implements Body.
func (CertificateChanged) Lane() Lane { return LaneRegistry }
