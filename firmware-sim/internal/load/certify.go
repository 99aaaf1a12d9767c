package load

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

// Authority certifies the clients of a broker that is not a hub.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// ReadAuthority reads a file with a certificate and its key, both PEM.
func ReadAuthority(file string) (*Authority, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(b, b)
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("want an ECDSA key")
	}
	return &Authority{pair.Leaf, key}, nil
}

// certify makes what a client of that broker shows.
func (a *Authority) certify(id fleet.DeviceID) (device.Credentials, error) {
	key, err := identity.NewKey()
	if err != nil {
		return device.Credentials{}, err
	}
	serial, err := identity.NewSerial()
	if err != nil {
		return device.Credentials{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: string(id)}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return device.Credentials{}, fmt.Errorf("certify %s: %w", id, err)
	}
	text, err := device.EncodeKey(key)
	return device.Credentials{
		Key: text, Certificate: string(identity.PEM(der)), Anchors: string(identity.PEM(a.cert.Raw)),
	}, err
}
