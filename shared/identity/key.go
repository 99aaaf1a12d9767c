package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"

	"github.com/obedio/obedio/shared/fleet"
)

// NewKey makes a key of a hub or a device: P-256.
func NewKey() (*ecdsa.PrivateKey, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return k, nil
}

// EncodeKey returns a key in PKCS #8, DER.
func EncodeKey(k crypto.PrivateKey) ([]byte, error) {
	b, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return b, nil
}

// DecodeKey reads what EncodeKey wrote.
func DecodeKey(der []byte) (*ecdsa.PrivateKey, error) {
	v, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("decode key: %w", err)
	}
	k, ok := v.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: key is a %T, want ECDSA", fleet.ErrInvalid, v)
	}
	return k, nil
}

// Request returns a certificate request (PKCS #10, DER) that proves possession
// of k. Names in it are for people; the authority decides the real one.
func Request(k *ecdsa.PrivateKey, name string) ([]byte, error) {
	return RequestFor(k, pkix.Name{CommonName: name})
}

// RequestFor is Request with a whole name.
func RequestFor(k *ecdsa.PrivateKey, name pkix.Name) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: name}, k)
	if err != nil {
		return nil, fmt.Errorf("make certificate request: %w", err)
	}
	return der, nil
}

// RequestedKey returns the public key that a certificate request proves
// possession of: P-256 only. fleet.ErrInvalid.
func RequestedKey(der []byte) (*ecdsa.PublicKey, error) {
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate request: %w", fleet.ErrInvalid, err)
	}
	if err := req.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: certificate request is not signed by its own key: %w", fleet.ErrInvalid, err)
	}
	pub, ok := req.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: certificate request for a key that is not ECDSA P-256", fleet.ErrInvalid)
	}
	return pub, nil
}

// NewSerial returns a random serial number of 127 bits (RFC 5280, 4.1.2.2).
func NewSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	return n, nil
}

// PEM is a certificate (DER) in PEM.
func PEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
