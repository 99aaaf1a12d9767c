package identity

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// HubLinkName is the name in the server certificate of every console's hub
// link. A hub trusts the fleet root, not the address that it dials, so the
// name needs to be known, not unique.
const HubLinkName = "hublink.obedio.internal"

// EnrolClient is a hub's side of a connection before it has an identity: it
// trusts the one fleet root whose fingerprint the claim has.
func EnrolClient(rootFingerprint string, now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: HubLinkName, Time: now,
		// The usual check needs the root beforehand; verifyByFingerprint does it
		// with the root that the server shows, once its fingerprint is right.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			return verifyByFingerprint(s.PeerCertificates, rootFingerprint, now())
		},
	}
}

func verifyByFingerprint(chain []*x509.Certificate, fingerprint string, now time.Time) error {
	if len(chain) == 0 {
		return fmt.Errorf("%w: the console shows no certificate", fleet.ErrUnauthenticated)
	}
	roots := x509.NewCertPool()
	between := x509.NewCertPool()
	found := false
	for _, c := range chain[1:] {
		if Fingerprint(c) == fingerprint {
			roots.AddCert(c)
			found = true
		} else {
			between.AddCert(c)
		}
	}
	if !found {
		return fmt.Errorf("%w: the console is not of the fleet that made the claim: its root is another one", fleet.ErrUnauthenticated)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, DNSName: HubLinkName, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return fmt.Errorf("check the console's certificate: %w", err)
	}
	return nil
}

// HubClient is a hub's side of the hub link: it shows its identity and trusts
// its fleet root only.
func HubClient(own tls.Certificate, root *x509.Certificate, now func() time.Time) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(root)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: HubLinkName, Time: now, RootCAs: roots,
		Certificates:       []tls.Certificate{own},
		ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}
}

// HubLinkServer is the console's side of the hub link. A client certificate is
// optional, since Enrol has none yet; one that is shown must be of the console
// authority and must pass check, at full and at resumed handshakes.
func HubLinkServer(own tls.Certificate, authority *x509.Certificate, now func() time.Time, check func(*x509.Certificate) error) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Time: now, Certificates: []tls.Certificate{own},
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return nil
			}
			return check(s.PeerCertificates[0])
		},
	}
}
