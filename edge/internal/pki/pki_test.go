package pki_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/pki"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/secretfile"
)

var begin = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// site is a site's authority over a directory and a store that outlive it.
type site struct {
	t      *testing.T
	dir    string
	fs     store.FileSystem
	system time.Time
	mono   time.Duration
	names  []string
	life   time.Duration // of devices' certificates
	stored time.Time     // what the program would have stored of the time

	*pki.PKI
	store   *store.Store
	journal *journal.Journal
	clock   *identity.Clock
}

func newSite(t *testing.T) *site {
	s := &site{t: t, dir: t.TempDir(), fs: store.InMemory(), system: begin}
	s.open()
	return s
}

// try opens the authority again, as a program that starts.
func (s *site) try() error {
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
	var err error
	if s.store, err = store.Open(store.Config{Dir: "data", FS: s.fs}); err != nil {
		s.t.Fatal(err)
	}
	s.clock = identity.NewClock(identity.ClockConfig{
		System: func() time.Time { return s.system }, Monotonic: func() time.Duration { return s.mono }, Built: begin.AddDate(0, -1, 0),
	})
	s.clock.Raise(s.stored)
	s.journal = journal.New(journal.Config{Store: s.store, Clock: s.clock})
	s.PKI, err = pki.Open(pki.Config{
		Dir: s.dir, Site: "yacht-1", Store: s.store, Journal: s.journal, Clock: s.clock, Names: func() []string { return s.names },
		DeviceLife: s.life,
	})
	return err
}

func (s *site) open() {
	s.t.Helper()
	if err := s.try(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = s.store.Close() })
}

func (s *site) pass(d time.Duration) {
	s.system, s.mono = s.system.Add(d), s.mono+d
	s.stored = s.system
}

// issue makes a device's certificate, with its key.
func (s *site) issue(device fleet.DeviceID) tls.Certificate {
	s.t.Helper()
	key := newKey(s.t)
	var cert *x509.Certificate
	err := s.journal.Do(s.t.Context(), func(tx *journal.Tx) (err error) {
		cert, err = s.IssueIn(tx, fleet.System("test"), device, &key.PublicKey)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func serial(c tls.Certificate) string { return hexOf(c.Leaf.SerialNumber) }

func hexOf(n *big.Int) string {
	s := n.Text(16)
	if len(s)%2 == 1 {
		s = "0" + s
	}
	return s
}

func TestOpen_MakesAnAuthorityOnceAndFindsItAgain(t *testing.T) {
	s := newSite(t)
	ca, server := s.Authority(), s.Server()
	if err := ca.CheckSignatureFrom(ca); err != nil || ca.MaxPathLen != 0 || !ca.MaxPathLenZero {
		t.Errorf("authority: %v", err)
	}
	if _, err := server.Verify(x509.VerifyOptions{
		Roots: s.Trust(), DNSName: "localhost", CurrentTime: begin, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}); err != nil {
		t.Error(err)
	}
	if d := server.NotAfter.Sub(server.NotBefore); d > 397*24*time.Hour {
		t.Errorf("server certificate for %s", d)
	}
	files, err := os.ReadDir(filepath.Join(s.dir, "pki"))
	if err != nil || len(files) != 4 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if i, err := f.Info(); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s, %v", f.Name(), i.Mode(), err)
		}
	}
	s.open()
	if !s.Authority().Equal(ca) || !s.Server().Equal(server) {
		t.Error("another authority or server after a restart")
	}
	c, err := s.Certificate(hexOf(ca.SerialNumber))
	if err != nil || c.Kind != fleet.CertificateAuthority {
		t.Error(c, err)
	}
	if c, err := s.Certificate(hexOf(server.SerialNumber)); err != nil || c.Kind != fleet.CertificateServer {
		t.Error(c, err)
	}
}

func TestOpen_ALostOrWrongKeyIsAnErrorWithItsNameAndNeverANewAuthority(t *testing.T) {
	s := newSite(t)
	name := "site-ca-" + strings.TrimSuffix(s.TrustDomain(), ".obedio.internal")
	file := func(n string) string { return filepath.Join(s.dir, "pki", n) }
	other := newSite(t)
	otherName := "site-ca-" + strings.TrimSuffix(other.TrustDomain(), ".obedio.internal")
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for what, c := range map[string]struct {
		file  string
		bytes []byte // nil removes it
		mode  os.FileMode
		want  error
	}{
		"key gone":         {name + ".key", nil, 0o600, pki.ErrMissing},
		"certificate gone": {name + ".crt", nil, 0o600, pki.ErrMissing},
		"another's key":    {name + ".key", read(filepath.Join(other.dir, "pki", otherName+".key")), 0o600, secretfile.ErrKeyMismatch},
		"key cut off":      {name + ".key", read(file(name + ".key"))[:60], 0o600, nil},
		"readable to all":  {name + ".key", read(file(name + ".key")), 0o644, secretfile.ErrOpen},
		"another's server": {"server.key", read(filepath.Join(other.dir, "pki", "server.key")), 0o600, secretfile.ErrKeyMismatch},
	} {
		was := read(file(c.file))
		if c.bytes == nil {
			if err := os.Remove(file(c.file)); err != nil {
				t.Fatal(err)
			}
		} else if err := errors.Join(os.WriteFile(file(c.file), c.bytes, c.mode), os.Chmod(file(c.file), c.mode)); err != nil {
			t.Fatal(err)
		}
		err := s.try()
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.file[:len(c.file)-4]) {
			t.Errorf("%s: %v", what, err)
		}
		if err := errors.Join(os.WriteFile(file(c.file), was, 0o600), os.Chmod(file(c.file), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s.open()
}

func TestServer_IsRenewedInTimeAndWhenItsNamesChange(t *testing.T) {
	s := newSite(t)
	first := s.Server()
	s.names = []string{"yacht-1.local", "192.168.7.1"}
	s.open()
	second := s.Server()
	if second.Equal(first) || second.VerifyHostname("yacht-1.local") != nil || second.VerifyHostname("192.168.7.1") != nil {
		t.Errorf("names are %v %v", second.DNSNames, second.IPAddresses)
	}
	s.pass(200 * 24 * time.Hour)
	s.open()
	if !s.Server().Equal(second) {
		t.Error("renewed too early")
	}
	s.pass(70 * 24 * time.Hour)
	s.open()
	if s.Server().Equal(second) {
		t.Error("not renewed after two thirds of its time")
	}
}

// handshake connects a client to a listener for devices, and returns the errors
// of both sides.
func handshake(s *site, config *tls.Config, own ...tls.Certificate) (client, server error, resumed bool) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	done := make(chan error, 1)
	go func() {
		a, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		srv := tls.Server(a, config)
		err = srv.Handshake()
		if err == nil {
			_, err = srv.Write([]byte("hello"))
		}
		_ = srv.Close() // the client may be gone
		done <- err
	}()
	b, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	c := tls.Client(b, &tls.Config{
		RootCAs: s.Trust(), ServerName: identity.SiteServerName, Time: func() time.Time { return s.system },
		ClientSessionCache: sessions,
		// Whatever the server says that it would take.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if len(own) == 0 {
				return &tls.Certificate{}, nil
			}
			return &own[0], nil
		},
	})
	client = c.Handshake()
	if client == nil {
		_, client = io.ReadFull(c, make([]byte, 5))
	}
	resumed = c.ConnectionState().DidResume
	_ = b.Close()
	return client, <-done, resumed
}

var sessions tls.ClientSessionCache

func TestDeviceTLS_OnlyACertificateOfADeviceOfTheSiteThatCounts(t *testing.T) {
	s, other := newSite(t), newSite(t)
	good := s.issue("btn-001")
	ca := s.authority()
	forge := func(change func(*x509.Certificate)) tls.Certificate {
		key := newKey(t)
		n, err := identity.NewSerial()
		if err != nil {
			t.Fatal(err)
		}
		tmpl := &x509.Certificate{
			SerialNumber: n, Subject: pkix.Name{CommonName: "btn-001"}, NotBefore: begin.Add(-time.Hour), NotAfter: begin.Add(time.Hour),
			URIs: []*url.URL{identity.DeviceURI(s.Authority(), "btn-001")}, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		change(tmpl)
		der, err := x509.CreateCertificate(rand.Reader, tmpl, s.Authority(), &key.PublicKey, ca)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
	}
	uri := func(u string) []*url.URL {
		p, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		return []*url.URL{p}
	}
	revoked := s.issue("btn-002")
	if err := s.Revoke(t.Context(), fleet.System("test"), serial(revoked), fleet.RevokedCompromised); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cert tls.Certificate
		want string
	}{
		"of another site":      {other.issue("btn-001"), "another authority"},
		"without a name":       {forge(func(c *x509.Certificate) { c.URIs = nil }), "exactly one URI"},
		"with an address only": {forge(func(c *x509.Certificate) { c.URIs = nil; c.IPAddresses = []net.IP{{127, 0, 0, 1}} }), "exactly one URI"},
		"with a host name too": {forge(func(c *x509.Certificate) { c.DNSNames = []string{"x"} }), "exactly one URI"},
		"with two names":       {forge(func(c *x509.Certificate) { c.URIs = append(c.URIs, c.URIs[0]) }), "exactly one URI"},
		"of a subdomain":       {forge(func(c *x509.Certificate) { c.URIs = uri("spiffe://x." + s.TrustDomain() + "/device/btn-001") }), "not made for this site"},
		"of another's domain":  {forge(func(c *x509.Certificate) { c.URIs = uri("spiffe://" + other.TrustDomain() + "/device/btn-001") }), "not made for this site"},
		"with a port in it":    {forge(func(c *x509.Certificate) { c.URIs = uri("spiffe://" + s.TrustDomain() + ":1/device/btn-001") }), "not made for this site"},
		"with a query":         {forge(func(c *x509.Certificate) { c.URIs = uri("spiffe://" + s.TrustDomain() + "/device/btn-001?x") }), "not made for this site"},
		"of no device":         {forge(func(c *x509.Certificate) { c.URIs = uri("spiffe://" + s.TrustDomain() + "/hub/x") }), "names no device"},
		"of a path":            {forge(func(c *x509.Certificate) { c.URIs = uri("spiffe://" + s.TrustDomain() + "/device/a/b") }), "names no device"},
		"for servers":          {forge(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), "not for clients"},
		"that no record is of": {forge(func(*x509.Certificate) {}), "not one that this hub has issued"},
		"with a known serial":  {forge(func(c *x509.Certificate) { c.SerialNumber = good.Leaf.SerialNumber }), "not one that this hub has issued"},
		"that was revoked":     {revoked, "revoked"},
	} {
		client, server, _ := handshake(s, s.DeviceTLS(), c.cert)
		if client == nil || !errors.Is(server, fleet.ErrUnauthenticated) || !strings.Contains(server.Error(), c.want) {
			t.Errorf("%s: client %v, server %v", name, client, server)
		}
	}
	if client, server, _ := handshake(s, s.DeviceTLS(), good); client != nil || server != nil {
		t.Errorf("the right one: %v, %v", client, server)
	}
	if client, server, _ := handshake(s, s.DeviceTLS()); client != nil || server != nil {
		t.Errorf("none: %v, %v", client, server)
	}
}

// authority reads the site's key, as only who has the directory can.
func (s *site) authority() *ecdsa.PrivateKey {
	s.t.Helper()
	key, err := secretfile.Dir(filepath.Join(s.dir, "pki")).Key("site-ca-" + strings.TrimSuffix(s.TrustDomain(), ".obedio.internal"))
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

func TestRevoke_ReachesResumedSessionsToo(t *testing.T) {
	s := newSite(t)
	cert := s.issue("btn-001")
	config := s.DeviceTLS()
	sessions = tls.NewLRUClientSessionCache(4)
	t.Cleanup(func() { sessions = nil })
	for i, wantResumed := range []bool{false, true} {
		if client, server, resumed := handshake(s, config, cert); client != nil || server != nil || resumed != wantResumed {
			t.Fatalf("handshake %d: %v, %v, resumed %t", i, client, server, resumed)
		}
	}
	if err := s.Revoke(t.Context(), fleet.System("test"), serial(cert), fleet.RevokedCompromised); err != nil {
		t.Fatal(err)
	}
	if client, server, _ := handshake(s, config, cert); client == nil || server == nil {
		t.Errorf("a revoked certificate has resumed its session: %v, %v", client, server)
	}
	if err := s.Revoke(t.Context(), fleet.System("test"), serial(cert), ""); !errors.Is(err, fleet.ErrState) {
		t.Errorf("again: %v", err)
	}
	if err := s.Revoke(t.Context(), fleet.System("test"), "00", ""); !errors.Is(err, fleet.ErrNotFound) {
		t.Errorf("nobody's: %v", err)
	}
	if err := s.Revoke(t.Context(), fleet.System("test"), hexOf(s.Authority().SerialNumber), ""); !errors.Is(err, fleet.ErrState) {
		t.Errorf("the authority's own: %v", err)
	}
}

func TestRevocationList_IsSignedNumberedAndNamesWhatWasRevoked(t *testing.T) {
	s := newSite(t)
	list := func() *x509.RevocationList {
		t.Helper()
		der, err := s.RevocationList()
		if err != nil {
			t.Fatal(err)
		}
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.CheckSignatureFrom(s.Authority()); err != nil {
			t.Fatal(err)
		}
		return l
	}
	empty := list()
	cert := s.issue("btn-001")
	s.issue("btn-002")
	if err := s.Revoke(t.Context(), fleet.System("test"), serial(cert), fleet.RevokedCeased); err != nil {
		t.Fatal(err)
	}
	l := list()
	if l.Number.Cmp(empty.Number) <= 0 || len(l.RevokedCertificateEntries) != 1 ||
		l.RevokedCertificateEntries[0].SerialNumber.Cmp(cert.Leaf.SerialNumber) != 0 || l.RevokedCertificateEntries[0].ReasonCode != 5 {
		t.Errorf("list is %+v", l.RevokedCertificateEntries)
	}
	s.open()
	if again := list(); again.Number.Cmp(l.Number) != 0 || len(again.RevokedCertificateEntries) != 1 {
		t.Error("another list after a restart")
	}
	s.pass(25 * time.Hour)
	if next := list(); next.Number.Cmp(l.Number) <= 0 || !next.NextUpdate.After(l.NextUpdate) {
		t.Error("not made anew after a day")
	}
}

func TestVerify_GoesByTheTimeThatIsCertain(t *testing.T) {
	s := newSite(t)
	cert := s.issue("btn-001")
	s.clock.Raise(s.system)
	verify := func() (bool, error) {
		shown, err := s.Verify(cert.Leaf)
		return shown.RenewOnly, err
	}
	was := s.system
	s.system = time.Unix(0, 0)
	if only, err := verify(); only || err != nil {
		t.Errorf("at 1970: %t, %v", only, err)
	}
	s.system = was.AddDate(10, 0, 0)
	if only, err := verify(); only || err != nil {
		t.Errorf("at +10 years that nobody has confirmed: %t, %v", only, err)
	}
	s.system = was
	s.pass(2*365*24*time.Hour - 8*24*time.Hour)
	if only, err := verify(); only || err != nil || !s.Due(s.Of("btn-001")[0]) {
		t.Errorf("a day before its end: %t, %v", only, err)
	}
	s.pass(2 * 24 * time.Hour)
	if only, err := verify(); !only || err != nil {
		t.Errorf("a day after its end: %t, %v", only, err)
	}
	s.pass(90 * 24 * time.Hour)
	if _, err := verify(); !errors.Is(err, pki.ErrExpired) {
		t.Errorf("after the quarantine: %v", err)
	}
}

func TestIssue_AShortLivedCertificateIsDueWhenTwoThirdsAreOver(t *testing.T) {
	s := newSite(t)
	s.life = time.Minute
	s.open()
	s.issue("btn-001")
	due := func() bool { return s.Due(s.Of("btn-001")[0]) }
	if due() {
		t.Fatal("due at once")
	}
	s.pass(33 * time.Second) // it is dated back by 6
	if due() {
		t.Error("due too early")
	}
	s.pass(time.Second)
	if !due() {
		t.Error("not due")
	}
}

func TestCertified_TheFleetsCertificateIsOfTheSameKeyAndDevicesGoOn(t *testing.T) {
	s := newSite(t)
	before := s.issue("btn-001")
	root, rootKey := fleetRoot(t)
	csr, err := s.Request()
	if err != nil {
		t.Fatal(err)
	}
	chain, err := identity.SignSiteAuthority(root, rootKey, csr, begin.Add(-time.Hour), begin.AddDate(5, 0, 0), identity.ConstraintsCritical)
	if err != nil {
		t.Fatal(err)
	}
	domain := s.TrustDomain()
	if err := s.Certified([]*x509.Certificate{chain, root}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if s.TrustDomain() != domain {
			t.Error("the site has another name")
		}
		if _, err := s.Verify(before.Leaf); err != nil {
			t.Error(err)
		}
		roots, between := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(root)
		between.AddCert(chain)
		for _, c := range []*x509.Certificate{before.Leaf, s.issue("btn-002").Leaf, s.Server()} {
			if _, err := c.Verify(x509.VerifyOptions{
				Roots: roots, Intermediates: between, CurrentTime: begin, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
			}); err != nil {
				t.Errorf("%s does not lead to the fleet root: %v", c.Subject, err)
			}
		}
		if got, err := s.WebTLS().GetCertificate(nil); err != nil || len(got.Certificate) != 2 {
			t.Errorf("the web's chain has %d certificates, %v", len(got.Certificate), err)
		}
		s.open() // and after a restart
	}
	other := newSite(t)
	if err := other.Certified([]*x509.Certificate{chain, root}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("another site took it: %v", err)
	}
}

func fleetRoot(t *testing.T) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, IsCA: true, MaxPathLen: 1, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: begin.AddDate(-1, 0, 0), NotAfter: begin.AddDate(20, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

func TestRoll_BothAuthoritiesCountUntilTheLastDeviceHasRenewed(t *testing.T) {
	s := newSite(t)
	old := s.Authority()
	s.issue("btn-001")
	s.issue("btn-002")
	s.pass(3 * 365 * 24 * time.Hour)
	renew := func() {
		t.Helper()
		if err := s.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	renew()
	if !s.Authority().Equal(old) {
		t.Fatal("replaced too early")
	}
	s.pass(366 * 24 * time.Hour)
	renew()
	if s.Authority().Equal(old) || len(s.Anchors()) != 2 {
		t.Fatal("no new authority")
	}
	if err := s.Roll(t.Context()); !errors.Is(err, fleet.ErrState) {
		t.Errorf("rolled twice: %v", err)
	}
	s.open()
	if s.Authority().Equal(old) || !slices.ContainsFunc(s.Anchors(), old.Equal) {
		t.Fatal("not both after a restart")
	}
	if !s.ServerAuthority().Equal(old) {
		t.Error("who joins now is told of an authority that the server is not under")
	}
	if err := s.Server().CheckSignatureFrom(old); err != nil {
		t.Errorf("devices that know the old one only cannot trust the server: %v", err)
	}
	if !s.Due(s.Of("btn-001")[0]) {
		t.Error("nobody renews")
	}
	s.issue("btn-001")
	renew()
	if len(s.Anchors()) != 2 {
		t.Error("the old one was given up while a device needs it")
	}
	s.issue("btn-002")
	renew()
	if len(s.Anchors()) != 1 || s.Server().CheckSignatureFrom(s.Authority()) != nil {
		t.Error("the old one is there although every device has renewed")
	}
	if files, err := filepath.Glob(filepath.Join(s.dir, "pki", "site-ca-*")); err != nil || len(files) != 2 {
		t.Errorf("files are %v, %v", files, err)
	}
}

func TestRoll_AnAuthorityThatHasExpiredIsReplacedAtOnce(t *testing.T) {
	s := newSite(t)
	old := s.Authority()
	s.issue("btn-001")
	s.pass(6 * 365 * 24 * time.Hour) // in a drawer
	s.open()
	if err := s.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Authority().Equal(old) || len(s.Anchors()) != 1 {
		t.Error("the old one is there")
	}
	if err := s.Server().CheckSignatureFrom(s.Authority()); err != nil || !s.Server().NotAfter.After(s.system) {
		t.Errorf("server certificate until %s: %v", s.Server().NotAfter, err)
	}
}
