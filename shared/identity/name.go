package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
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
	return hex.EncodeToString(sum[:8]) + trustSuffix
}

const trustSuffix = ".obedio.internal"

// SiteServerName is a name in the server certificate of every hub, for clients
// that trust the site's authority and not the address that they dial.
const SiteServerName = "hub.obedio.internal"

// SiteAuthorityName is the subject of a site's authority: the same whether it
// signs itself or the fleet root has signed it, so that what it has signed leads
// to both.
func SiteAuthorityName(site fleet.SiteID, pub *ecdsa.PublicKey) (pkix.Name, error) {
	id, err := KeyID(pub)
	if err != nil {
		return pkix.Name{}, err
	}
	return pkix.Name{CommonName: "Obedio site " + string(site), SerialNumber: id[:16]}, nil
}

// KeyID is the SHA-256 of a public key (SubjectPublicKeyInfo), as 64
// hexadecimal digits.
func KeyID(pub crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("encode public key: %w", err)
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), nil
}

// DeviceURI is the name of a device in its certificate.
func DeviceURI(authority *x509.Certificate, device fleet.DeviceID) *url.URL {
	return &url.URL{Scheme: "spiffe", Host: TrustDomain(authority), Path: "/device/" + string(device)}
}

// Device returns the device that a certificate of the given site authority
// names. fleet.ErrUnauthenticated unless it has exactly one name, of that form:
// the whole URI is compared, never the subject.
func Device(authority, leaf *x509.Certificate) (fleet.DeviceID, error) {
	text, err := soleName(leaf, "/device/")
	if err != nil {
		return "", err
	}
	id, err := fleet.ParseDeviceID(text)
	if err != nil {
		return "", fmt.Errorf("%w: certificate names no device", fleet.ErrUnauthenticated)
	}
	if leaf.URIs[0].String() != DeviceURI(authority, id).String() {
		return "", fmt.Errorf("%w: certificate was not made for this site", fleet.ErrUnauthenticated)
	}
	return id, nil
}

// soleName returns what follows prefix in the path of the certificate's one
// name.
func soleName(leaf *x509.Certificate, prefix string) (string, error) {
	if len(leaf.URIs) != 1 || len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses) != 0 {
		return "", fmt.Errorf("%w: certificate does not have exactly one URI as its name", fleet.ErrUnauthenticated)
	}
	text, ok := strings.CutPrefix(leaf.URIs[0].Path, prefix)
	if !ok {
		return "", fmt.Errorf("%w: certificate names no %s", fleet.ErrUnauthenticated, strings.Trim(prefix, "/"))
	}
	return text, nil
}

// HubURI is the name of a hub in its certificate.
func HubURI(authority *x509.Certificate, hub fleet.HubID) *url.URL {
	return &url.URL{Scheme: "spiffe", Host: TrustDomain(authority), Path: "/hub/" + string(hub)}
}

// Hub returns the hub that a certificate of the given authority names.
// fleet.ErrUnauthenticated unless it has exactly one name, of that form: the
// whole URI is compared, never the subject.
func Hub(authority, leaf *x509.Certificate) (fleet.HubID, error) {
	text, err := soleName(leaf, "/hub/")
	if err != nil {
		return "", err
	}
	id, err := fleet.ParseUUID[fleet.HubID]("hub_id", text)
	if err != nil {
		return "", fmt.Errorf("%w: certificate names no hub", fleet.ErrUnauthenticated)
	}
	if leaf.URIs[0].String() != HubURI(authority, id).String() {
		return "", fmt.Errorf("%w: certificate was not made for this console", fleet.ErrUnauthenticated)
	}
	return id, nil
}

// Fingerprint is the SHA-256 of a certificate, as 64 hexadecimal digits.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}
