package pki

import (
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/secretfile"
)

var begin = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

func mustOpen(t *testing.T, c Config) *PKI {
	t.Helper()
	p, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOpen_MakesAuthoritiesOnceAndFindsThemAgain(t *testing.T) {
	dir := t.TempDir()
	p := mustOpen(t, Config{Dir: dir, Now: at(begin)})
	again := mustOpen(t, Config{Dir: dir, Root: p.Fingerprint(), Now: at(begin.Add(time.Hour))})
	if again.Fingerprint() != p.Fingerprint() || !again.Authority().Equal(p.Authority()) {
		t.Error("the second start has other authorities")
	}
	if !again.server.Load().Leaf.Equal(p.server.Load().Leaf) {
		t.Error("the second start has another server certificate")
	}
	files, err := os.ReadDir(filepath.Join(dir, "pki"))
	if err != nil || len(files) != 6 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s, %v", f.Name(), info.Mode(), err)
		}
	}
}

func TestRoot_IsAsTheDesignSays(t *testing.T) {
	p := mustOpen(t, Config{Now: at(begin)})
	root, ca := p.Root(), p.Authority()
	if p.root.key.Curve != elliptic.P384() || p.console.key.Curve != elliptic.P256() {
		t.Error("curves are not P-384 and P-256")
	}
	if !root.IsCA || root.MaxPathLen != 1 || !ca.IsCA || ca.MaxPathLen != 0 || !ca.MaxPathLenZero {
		t.Errorf("path lengths are %d and %d", root.MaxPathLen, ca.MaxPathLen)
	}
	if want := begin.Add(-7 * day); !root.NotBefore.Equal(want) {
		t.Errorf("the root begins at %s, want %s", root.NotBefore, want)
	}
	if life := root.NotAfter.Sub(root.NotBefore); life != 20*365*day {
		t.Errorf("the root lives %s", life)
	}
	if ca.NotAfter.After(root.NotAfter) {
		t.Error("the console authority outlives the root")
	}
}

func TestSignHub_NamesOneHubForTheLinkOnly(t *testing.T) {
	p := mustOpen(t, Config{Now: at(begin)})
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	hub := fleet.NewUUID[fleet.HubID](begin)
	chain, notAfter, err := p.SignHub(hub, &key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		t.Fatal(err)
	}
	if got, err := identity.Hub(p.Authority(), leaf); err != nil || got != hub {
		t.Errorf("it names %s, %v", got, err)
	}
	if len(leaf.ExtKeyUsage) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth || leaf.IsCA {
		t.Errorf("it is good for %v, CA %t", leaf.ExtKeyUsage, leaf.IsCA)
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life != 2*365*day || !notAfter.Equal(leaf.NotAfter) {
		t.Errorf("it lives %s until %s", life, notAfter)
	}
	other := mustOpen(t, Config{Now: at(begin)})
	if _, err := identity.Hub(other.Authority(), leaf); !errors.Is(err, fleet.ErrUnauthenticated) {
		t.Errorf("another console takes it: %v", err)
	}
}

func TestServer_IsRenewedAtTwoThirds(t *testing.T) {
	now := begin
	p := mustOpen(t, Config{Now: func() time.Time { return now }})
	leaf := p.server.Load().Leaf
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	if life > 397*day || leaf.VerifyHostname(identity.HubLinkName) != nil {
		t.Errorf("it lives %s for %v", life, leaf.DNSNames)
	}
	roots := x509.NewCertPool()
	roots.AddCert(p.Root())
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, DNSName: identity.HubLinkName}); err != nil {
		t.Error(err)
	}
	for _, step := range []struct {
		at    time.Time
		renew bool
	}{
		{leaf.NotBefore.Add(life*2/3 - time.Second), false},
		{leaf.NotBefore.Add(life * 2 / 3), true},
	} {
		now = step.at
		if err := p.renewServer(); err != nil {
			t.Fatal(err)
		}
		if renewed := !p.server.Load().Leaf.Equal(leaf); renewed != step.renew {
			t.Errorf("at %s renewed is %t", step.at, renewed)
		}
	}
}

func TestOpen_RenewsAtTheStart(t *testing.T) {
	dir := t.TempDir()
	p := mustOpen(t, Config{Dir: dir, Now: at(begin)})
	later := mustOpen(t, Config{Dir: dir, Root: p.Fingerprint(), Now: at(begin.Add(300 * day))})
	if later.server.Load().Leaf.Equal(p.server.Load().Leaf) {
		t.Error("a certificate of 300 days was kept")
	}
}

func TestOpen_NamesWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  error
		file  string
	}{
		{"key of another certificate", func(t *testing.T, dir string) { swap(t, dir, "console-ca.key") }, secretfile.ErrKeyMismatch, "console-ca.key"},
		{"root key of another root", func(t *testing.T, dir string) { swap(t, dir, "fleet-root.key") }, secretfile.ErrKeyMismatch, "fleet-root.key"},
		{"server key of another", func(t *testing.T, dir string) { swap(t, dir, "hublink.key") }, secretfile.ErrKeyMismatch, "hublink.key"},
		{"no root key", func(t *testing.T, dir string) { remove(t, dir, "fleet-root.key") }, ErrMissing, "fleet-root.key"},
		{"no root certificate", func(t *testing.T, dir string) { remove(t, dir, "fleet-root.crt") }, ErrMissing, "fleet-root.crt"},
		{"no root at all", func(t *testing.T, dir string) {
			remove(t, dir, "fleet-root.crt")
			remove(t, dir, "fleet-root.key")
		}, ErrMissing, "fleet-root"},
		{"another root", func(t *testing.T, dir string) {
			swap(t, dir, "fleet-root.key", "fleet-root.crt")
		}, ErrOtherRoot, "fleet-root.crt"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			p := mustOpen(t, Config{Dir: dir, Now: at(begin)})
			test.spoil(t, filepath.Join(dir, "pki"))
			_, err := Open(Config{Dir: dir, Root: p.Fingerprint(), Now: at(begin)})
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.file) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// swap puts files of another console into dir.
func swap(t *testing.T, dir string, names ...string) {
	t.Helper()
	other := t.TempDir()
	mustOpen(t, Config{Dir: other, Now: at(begin)})
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(other, "pki", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_FinishesAnInterruptedFirstStart(t *testing.T) {
	dir := t.TempDir()
	p := mustOpen(t, Config{Dir: dir, Now: at(begin)})
	for _, name := range []string{"fleet-root.crt", "console-ca.crt", "console-ca.key", "hublink.crt", "hublink.key"} {
		remove(t, filepath.Join(dir, "pki"), name)
	}
	again := mustOpen(t, Config{Dir: dir, Now: at(begin)})
	if !again.root.key.Equal(p.root.key) {
		t.Error("a key that was there was replaced")
	}
}
