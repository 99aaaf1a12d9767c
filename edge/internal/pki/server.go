package pki

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

// loadServer reads the server certificate. One that is missing or of another
// authority is made anew: nothing depends on which it is, only on the authority.
func (p *PKI) loadServer() error {
	key, cert, err := p.files.Pair(serverFile)
	if err != nil {
		return err
	}
	if cert == nil || key == nil || !slices.ContainsFunc(p.counting(), func(a authority) bool { return cert.CheckSignatureFrom(a.cert) == nil }) {
		return p.newServer(context.Background())
	}
	p.serve(cert, key)
	return p.renewServer(context.Background())
}

// serve shows a certificate to clients from now on.
func (p *PKI) serve(cert *x509.Certificate, key *ecdsa.PrivateKey) {
	p.server.Store(&tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert})
}

// serverIssuer is the authority under which the server certificate is: the old
// one as long as there is one, since every device trusts that.
func (p *PKI) serverIssuer() authority {
	all := p.counting()
	return all[len(all)-1]
}

// renewServer replaces the server certificate when two thirds of its time are
// over, when its time has not begun (the clock was wrong), when the hub is
// reached under a name that it does not have, and when its authority is gone.
func (p *PKI) renewServer(ctx context.Context) error {
	leaf := p.server.Load().Leaf
	now, _ := p.c.Clock.Now()
	due := leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) * 2 / 3)
	issuer := p.serverIssuer()
	if p.c.Clock.Certain().Before(due) && !now.Before(leaf.NotBefore) && p.namesAll(leaf) && leaf.CheckSignatureFrom(issuer.cert) == nil {
		return nil
	}
	return p.newServer(ctx)
}

// names are those under which clients reach the hub; localhost always.
func (p *PKI) names() (hosts []string, ips []net.IP) {
	for _, n := range append(p.c.Names(), "localhost", "127.0.0.1", "::1", identity.SiteServerName) {
		if ip := net.ParseIP(n); ip != nil {
			if !slices.ContainsFunc(ips, ip.Equal) {
				ips = append(ips, ip)
			}
		} else if n != "" && !slices.Contains(hosts, n) {
			hosts = append(hosts, n)
		}
	}
	return hosts, ips
}

func (p *PKI) namesAll(leaf *x509.Certificate) bool {
	hosts, ips := p.names()
	for _, h := range hosts {
		if !slices.Contains(leaf.DNSNames, h) {
			return false
		}
	}
	for _, ip := range ips {
		if !slices.ContainsFunc(leaf.IPAddresses, ip.Equal) {
			return false
		}
	}
	return true
}

// newServer makes a server certificate with a key of its own. An interruption
// between the two files would leave a pair that does not fit, so the old
// certificate goes first.
func (p *PKI) newServer(ctx context.Context) error {
	key, err := identity.NewKey()
	if err != nil {
		return err
	}
	hosts, ips := p.names()
	issuer := p.serverIssuer()
	cert, err := p.sign(&x509.Certificate{
		Subject: subjectOf("hub", p.c.Site), DNSNames: hosts, IPAddresses: ips,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, p.c.ServerLife, issuer, &key.PublicKey)
	if err != nil {
		return err
	}
	if err := p.files.Remove(serverFile + ".crt"); err != nil {
		return err
	}
	if err := p.files.PutKey(serverFile, key); err != nil {
		return err
	}
	if err := p.files.PutCertificates(serverFile, cert); err != nil {
		return err
	}
	p.serve(cert, key)
	p.c.Logger.Info("server certificate made", "names", hosts, "addresses", ips, "not_after", cert.NotAfter.Format(time.RFC3339))
	err = p.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		tx.Essential()
		return p.record(tx, fleet.System("pki"), cert, issuer, fleet.CertificateServer, "")
	})
	if err != nil {
		return fmt.Errorf("record the server certificate: %w", err)
	}
	return nil
}

// DeviceTLS returns the settings of listeners for devices: a client certificate
// is asked for, and one that is shown must be of a device of the site that may
// connect; the handshake's error says what is held against it. A client without
// one has to say a password.
func (p *PKI) DeviceTLS() *tls.Config {
	c := p.tls()
	c.ClientAuth = tls.RequestClientCert // Verify does more than the library would
	c.ClientCAs = p.Trust()
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return nil
		}
		_, err := p.Verify(s.PeerCertificates[0])
		return err
	}
	return c
}

// WebTLS returns the settings of listeners for people and programs. The chain
// goes up to the fleet root, for those who trust that.
func (p *PKI) WebTLS() *tls.Config {
	c := p.tls()
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		own := *p.server.Load()
		if chain := p.Fleet(); chain != nil && own.Leaf.CheckSignatureFrom(chain[0]) == nil {
			own.Certificate = [][]byte{own.Certificate[0], chain[0].Raw}
		}
		return &own, nil
	}
	c.NextProtos = []string{"h2", "http/1.1"}
	return c
}

func (p *PKI) tls() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, // what small TLS libraries speak
		Time: func() time.Time {
			now, _ := p.c.Clock.Now()
			return now
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.server.Load(), nil },
	}
}

// Server is the certificate that the hub shows.
func (p *PKI) Server() *x509.Certificate { return p.server.Load().Leaf }
