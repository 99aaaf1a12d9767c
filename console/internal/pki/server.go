package pki

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/identity"
)

const serverName = "hublink"

// ServerTLS returns the settings of the hub link's listener; check is called
// with the certificate that a hub shows, at every handshake.
func (p *PKI) ServerTLS(check func(*x509.Certificate) error) *tls.Config {
	t := identity.HubLinkServer(tls.Certificate{}, p.console.cert, p.c.Now, check)
	t.Certificates = nil
	t.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.server.Load(), nil }
	return t
}

// loadServer reads the server certificate. One that is missing or too old is
// made anew: nothing depends on which it is, only on the root.
func (p *PKI) loadServer() error {
	key, cert, err := p.files.Pair(serverName)
	switch {
	case err != nil:
		return err
	case cert == nil, key == nil:
		return p.newServer()
	}
	if cert.CheckSignatureFrom(p.root.cert) != nil {
		return fmt.Errorf("%w: %s is not signed by it", ErrOtherRoot, p.files.Path(serverName+".crt"))
	}
	p.serve(cert, key)
	return p.renewServer()
}

func (p *PKI) serve(cert *x509.Certificate, key *ecdsa.PrivateKey) {
	// The root goes with it: a hub that enrols knows it by its fingerprint only.
	p.server.Store(&tls.Certificate{Certificate: [][]byte{cert.Raw, p.root.cert.Raw}, PrivateKey: key, Leaf: cert})
}

// renewServer replaces the server certificate when two thirds of its time are
// over, or when its time has not begun (the clock was wrong).
func (p *PKI) renewServer() error {
	leaf := p.server.Load().Leaf
	now := p.c.Now()
	due := leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) * 2 / 3)
	if now.Before(due) && !now.Before(leaf.NotBefore) {
		return nil
	}
	return p.newServer()
}

// newServer makes a server certificate with a key of its own. An interruption
// between the two files would leave a pair that does not fit, so the old
// certificate goes first.
func (p *PKI) newServer() error {
	key, err := identity.NewKey()
	if err != nil {
		return err
	}
	cert, err := p.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: identity.HubLinkName}, DNSNames: []string{identity.HubLinkName},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, serverDays*day, p.root, &key.PublicKey)
	if err != nil {
		return err
	}
	if err := p.files.Remove(serverName + ".crt"); err != nil {
		return err
	}
	if err := p.files.PutKey(serverName, key); err != nil {
		return err
	}
	if err := p.files.PutCertificates(serverName, cert); err != nil {
		return err
	}
	p.serve(cert, key)
	p.c.Logger.Info("server certificate made", "not_after", cert.NotAfter.Format(time.RFC3339))
	return nil
}
