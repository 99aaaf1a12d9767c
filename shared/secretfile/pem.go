package secretfile

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/obedio/obedio/shared/identity"
)

// ErrKeyMismatch: a key is not the one of its certificate.
var ErrKeyMismatch = errors.New("the key is not that of the certificate")

const (
	pemKey  = "PRIVATE KEY"
	pemCert = "CERTIFICATE"
)

// Dir is a directory of keys and certificates in PEM; the empty Dir is no
// directory: it holds nothing and keeps nothing.
type Dir string

// Path is where the file of that name is.
func (d Dir) Path(name string) string { return filepath.Join(string(d), name) }

// Make makes the directory, for its owner only.
func (d Dir) Make() error {
	if d == "" {
		return nil
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("make %s: %w", d, err)
	}
	return nil
}

// Key reads name.key; an error that is fs.ErrNotExist when there is none.
func (d Dir) Key(name string) (*ecdsa.PrivateKey, error) {
	blocks, err := d.read(name+".key", pemKey)
	if err != nil {
		return nil, err
	}
	key, err := identity.DecodeKey(blocks[0])
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", d.Path(name+".key"), err)
	}
	return key, nil
}

// Certificates reads name.crt, the leaf first; an error that is fs.ErrNotExist
// when there is none.
func (d Dir) Certificates(name string) ([]*x509.Certificate, error) {
	blocks, err := d.read(name+".crt", pemCert)
	if err != nil {
		return nil, err
	}
	var chain []*x509.Certificate
	for _, b := range blocks {
		cert, err := x509.ParseCertificate(b)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", d.Path(name+".crt"), err)
		}
		chain = append(chain, cert)
	}
	return chain, nil
}

// Pair reads name.key and the first certificate of name.crt; nil for one that
// is not there. ErrKeyMismatch when they do not belong together.
func (d Dir) Pair(name string) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := d.Key(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	chain, err := d.Certificates(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	if len(chain) == 0 {
		return key, nil, nil
	}
	if key != nil && !key.PublicKey.Equal(chain[0].PublicKey) {
		return nil, nil, fmt.Errorf("%w: %s and %s", ErrKeyMismatch, d.Path(name+".key"), d.Path(name+".crt"))
	}
	return key, chain[0], nil
}

func (d Dir) read(name, kind string) ([][]byte, error) {
	if d == "" {
		return nil, fs.ErrNotExist
	}
	b, err := Read(d.Path(name))
	if err != nil {
		return nil, err
	}
	var blocks [][]byte
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		if block.Type == kind {
			blocks = append(blocks, block.Bytes)
		}
	}
	if len(blocks) == 0 {
		return nil, fmt.Errorf("read %s: it is not PEM with %s", d.Path(name), kind)
	}
	return blocks, nil
}

// PutKey writes name.key.
func (d Dir) PutKey(name string, key *ecdsa.PrivateKey) error {
	der, err := identity.EncodeKey(key)
	if err != nil {
		return err
	}
	return d.write(name+".key", pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}))
}

// PutCertificates writes name.crt, the leaf first.
func (d Dir) PutCertificates(name string, chain ...*x509.Certificate) error {
	var b []byte
	for _, c := range chain {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: pemCert, Bytes: c.Raw})...)
	}
	return d.write(name+".crt", b)
}

func (d Dir) write(name string, b []byte) error {
	if d == "" {
		return nil
	}
	return Write(d.Path(name), b)
}

// Remove removes a file, if it is there.
func (d Dir) Remove(name string) error {
	if d == "" {
		return nil
	}
	if err := os.Remove(d.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", d.Path(name), err)
	}
	return nil
}
