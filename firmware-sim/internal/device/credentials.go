package device

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

// Credentials are what a device shows to be let in, and whom it trusts: a key
// with its certificate, or a user name and a password. Keys and certificates are
// PEM.
type Credentials struct {
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`

	Key         string `json:"key,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	// Anchors are the certificates that the hub's must lead to.
	Anchors string `json:"anchors,omitempty"`
	// NextKey is the one for which the device has asked, or is about to ask, for a
	// certificate.
	NextKey string `json:"next_key,omitempty"`
}

// Check reports as fleet.ErrInvalid what cannot be read.
func (c Credentials) Check() error {
	_, err := c.TLS(time.Now)
	return err
}

// TLS are the settings of a connection with a certificate; nil for a device that
// has none. now is the device's clock.
func (c Credentials) TLS(now func() time.Time) (*tls.Config, error) {
	if c.Certificate == "" {
		return nil, nil
	}
	own, err := tls.X509KeyPair([]byte(c.Certificate), []byte(c.Key))
	if err != nil {
		return nil, fmt.Errorf("%w: certificate of the device: %w", fleet.ErrInvalid, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(c.Anchors)) {
		return nil, fmt.Errorf("%w: the device trusts nobody", fleet.ErrInvalid)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: identity.SiteServerName, RootCAs: roots, Certificates: []tls.Certificate{own}, Time: now,
	}, nil
}

// leaf is the device's certificate; nil without one.
func (c Credentials) leaf() *x509.Certificate {
	block, _ := pem.Decode([]byte(c.Certificate))
	if block == nil {
		return nil
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return leaf
}
