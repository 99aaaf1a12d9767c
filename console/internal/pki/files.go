package pki

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/obedio/obedio/console/internal/secretfile"
	"github.com/obedio/obedio/shared/identity"
)

const (
	pemKey  = "PRIVATE KEY"
	pemCert = "CERTIFICATE"
)

func (p *PKI) readKey(name string) (*ecdsa.PrivateKey, error) {
	der, err := p.readPEM(name+".key", pemKey)
	if err != nil {
		return nil, err
	}
	key, err := identity.DecodeKey(der)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.file(name+".key"), err)
	}
	return key, nil
}

func (p *PKI) readCert(name string) (*x509.Certificate, error) {
	der, err := p.readPEM(name+".crt", pemCert)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.file(name+".crt"), err)
	}
	return cert, nil
}

func (p *PKI) readPEM(name, kind string) ([]byte, error) {
	if p.c.Dir == "" {
		return nil, fs.ErrNotExist
	}
	b, err := secretfile.Read(p.file(name))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("read %s: it is not PEM with %s", p.file(name), kind)
	}
	return block.Bytes, nil
}

func (p *PKI) writeKey(name string, key *ecdsa.PrivateKey) error {
	der, err := identity.EncodeKey(key)
	if err != nil {
		return err
	}
	return p.write(name+".key", pemKey, der)
}

func (p *PKI) writeCert(name string, cert *x509.Certificate) error {
	return p.write(name+".crt", pemCert, cert.Raw)
}

func (p *PKI) write(name, kind string, der []byte) error {
	if p.c.Dir == "" {
		return nil
	}
	return secretfile.Write(p.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func (p *PKI) remove(name string) error {
	if p.c.Dir == "" {
		return nil
	}
	if err := os.Remove(p.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove old %s: %w", name, err)
	}
	return nil
}
