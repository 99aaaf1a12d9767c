package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
)

// TrustDomain names an authority: the first 16 hexadecimal digits of the
// SHA-256 of its public key (SubjectPublicKeyInfo), under obedio.internal.
func TrustDomain(authority *x509.Certificate) string {
	sum := sha256.Sum256(authority.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:8]) + ".obedio.internal"
}

// HubURI is the name of a hub in its certificate.
func HubURI(authority *x509.Certificate, hub fleet.HubID) *url.URL {
	return &url.URL{Scheme: "spiffe", Host: TrustDomain(authority), Path: "/hub/" + string(hub)}
}

// Hub returns the hub that a certificate of the given authority names.
// fleet.ErrUnauthenticated unless it has exactly one name, of that form: the
// whole URI is compared, never the subject.
func Hub(authority, leaf *x509.Certificate) (fleet.HubID, error) {
	bad := func(why string) (fleet.HubID, error) {
		return "", fmt.Errorf("%w: certificate %s", fleet.ErrUnauthenticated, why)
	}
	if len(leaf.URIs) != 1 || len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses) != 0 {
		return bad("does not have exactly one URI as its name")
	}
	u := leaf.URIs[0]
	text, ok := strings.CutPrefix(u.Path, "/hub/")
	if !ok {
		return bad("does not name a hub")
	}
	id, err := fleet.ParseUUID[fleet.HubID]("hub_id", text)
	if err != nil {
		return bad("does not name a hub")
	}
	if u.String() != HubURI(authority, id).String() {
		return bad("was not made for this console")
	}
	return id, nil
}

// Fingerprint is the SHA-256 of a certificate, as 64 hexadecimal digits.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}
