package e2e

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/secretfile"
)

// badge is a certificate with its key, as files for other people's programs.
type badge struct {
	tls.Certificate
	serial    string
	cert, key string // files
}

// wear writes a certificate and its key into files.
func wear(t *testing.T, key *ecdsa.PrivateKey, cert *x509.Certificate) badge {
	t.Helper()
	der, err := identity.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	b := badge{
		Certificate: tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert},
		cert:        filepath.Join(dir, "device.crt"), key: filepath.Join(dir, "device.key"),
	}
	for file, text := range map[string][]byte{
		b.cert: identity.PEM(cert.Raw), b.key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// certify has the hub issue a certificate for a registered device.
func (a *api) certify(id string) badge {
	a.t.Helper()
	key := newKey(a.t)
	der, err := identity.Request(key, id)
	if err != nil {
		a.t.Fatal(err)
	}
	var made struct{ Serial, Certificate string }
	a.call(http.MethodPost, "/api/v1/security/certificates", map[string]string{
		"device_id": id, "csr": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})),
	}, &made)
	block, _ := pem.Decode([]byte(made.Certificate))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		a.t.Fatal(err)
	}
	b := wear(a.t, key, cert)
	b.serial = made.Serial
	return b
}

// anchors is a file with the certificates that the site's devices trust.
func (a *api) anchors() string {
	a.t.Helper()
	_, b := a.do(http.MethodGet, "/api/v1/provision/ca.crt", nil)
	file := filepath.Join(a.t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return file
}

// forger has the key of an authority.
type forger struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// stolen is a forger with the key of a hub's authority.
func stolen(t *testing.T, data string) *forger {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "pki", "site-ca-*.key"))
	if err != nil || len(files) != 1 {
		t.Fatalf("authorities %v: %v", files, err)
	}
	name := strings.TrimSuffix(filepath.Base(files[0]), ".key")
	key, cert, err := secretfile.Dir(filepath.Dir(files[0])).Pair(name)
	if err != nil {
		t.Fatal(err)
	}
	return &forger{t, key, cert}
}

// stranger is a forger with an authority of his own.
func stranger(t *testing.T) *forger {
	t.Helper()
	f := &forger{t: t, key: newKey(t)}
	f.cert = f.sign(&x509.Certificate{IsCA: true, KeyUsage: x509.KeyUsageCertSign}, &f.key.PublicKey)
	return f
}

func (f *forger) sign(c *x509.Certificate, pub *ecdsa.PublicKey) *x509.Certificate {
	f.t.Helper()
	var err error
	if c.SerialNumber, err = identity.NewSerial(); err != nil {
		f.t.Fatal(err)
	}
	c.Subject, c.BasicConstraintsValid = pkix.Name{CommonName: "btn-001"}, true
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := f.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, f.key)
	if err != nil {
		f.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		f.t.Fatal(err)
	}
	return cert
}

// badge makes a client certificate with what change says in it.
func (f *forger) badge(change func(*x509.Certificate)) badge {
	f.t.Helper()
	c := &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	change(c)
	key := newKey(f.t)
	return wear(f.t, key, f.sign(c, &key.PublicKey))
}

// uri is the name of a device under the forger's authority, below a subdomain if
// that is not empty.
func (f *forger) uri(below, id string) []*url.URL {
	u := identity.DeviceURI(f.cert, "")
	u.Host, u.Path = below+u.Host, u.Path+id
	return []*url.URL{u}
}
