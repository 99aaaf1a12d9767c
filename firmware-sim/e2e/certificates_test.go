package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/secretfile"
)

// other runs a program of another hand, for a minute at most.
func other(t *testing.T, stdin []byte, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The clients of other hands: OpenSSL, and Debian's mosquitto-clients.
func TestCertificate_OnlyTheDevicesOwnLetsItInAndEachDenialIsNamed(t *testing.T) {
	t.Parallel()
	// The first hub issues certificates that are soon over.
	hub, api, data := startHub(t, "--auth-failures", "1000000", "--certificate-quarantine", "1ms", "--device-certificate-life", "1s")
	button := api.addDevice("btn-001", "button", "cabin-101")
	api.addDevice("btn-002", "button", "cabin-102")
	api.addDevice("btn-003", "button", "cabin-103")
	expired := api.certify("btn-003")
	hub.stop()
	hub.args[len(hub.args)-1] = "1h"
	hub.run()
	waitFor(t, 20*time.Second, "the certificate to expire", func() bool {
		var c struct{ State string }
		api.call(http.MethodGet, "/api/v1/security/certificates/"+expired.serial, nil, &c)
		return c.State == "expired"
	})
	revoked := api.certify("btn-001")
	api.call(http.MethodDelete, "/api/v1/security/certificates/"+revoked.serial+"?reason=key_compromise", nil, nil)
	right := api.certify("btn-001")
	site, away, anchors := stolen(t, data), stranger(t), api.anchors()
	host, port, err := net.SplitHostPort(hub.Listeners["mqtts"])
	if err != nil {
		t.Fatal(err)
	}
	seq := 0
	for _, c := range []struct {
		what   string
		badge  badge
		client string
		reason string // "": it gets in
	}{
		{"its own", right, "btn-001", ""},
		{"another site's", away.badge(func(c *x509.Certificate) { c.URIs = away.uri("", "btn-001") }), "btn-001", "certificate_unknown_issuer"},
		{"another site's with this site's name", away.badge(func(c *x509.Certificate) { c.URIs = site.uri("", "btn-001") }), "btn-001", "certificate_unknown_issuer"},
		{"without a name", site.badge(func(*x509.Certificate) {}), "btn-001", "certificate_wrong_identity"},
		{"with an address only", site.badge(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }), "btn-001", "certificate_wrong_identity"},
		{"of a subdomain", site.badge(func(c *x509.Certificate) { c.URIs = site.uri("sub.", "btn-001") }), "btn-001", "certificate_wrong_identity"},
		{"that the hub has not issued", site.badge(func(c *x509.Certificate) { c.URIs = site.uri("", "btn-001") }), "btn-001", "certificate_not_issued_here"},
		{"of a server", site.badge(func(c *x509.Certificate) {
			c.URIs, c.ExtKeyUsage = site.uri("", "btn-001"), []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}), "btn-001", "certificate_wrong_use"},
		{"that has expired", expired, "btn-003", "certificate_expired"},
		{"that was revoked", revoked, "btn-001", "certificate_revoked"},
		{"its own, with another's client id", right, "btn-002", "client_id"},
	} {
		named := func() (n uint64) {
			for _, d := range api.denials("") {
				if d.Kind == "refused" && d.Reason == c.reason {
					n += d.Count
				}
			}
			return n
		}
		before := named()
		attempts := uint64(0)
		for _, version := range []string{"-tls1_2", "-tls1_3"} {
			hello := append(hello{}.packet(device{ID: c.client}), 0xe0, 0) // and goodbye
			out, err := other(t, hello, "openssl", "s_client", "-quiet", version, "-connect", host+":"+port, "-CAfile", anchors,
				"-verify_return_error", "-verify_hostname", identity.SiteServerName, "-cert", c.badge.cert, "-key", c.badge.key)
			attempts++
			if in := strings.Contains(out, " \x02\x00\x00"); in != (c.reason == "") {
				t.Errorf("openssl %s with a certificate %s: let in %t: %v %q", version, c.what, in, err, out)
			}
		}
		seq++
		out, err := other(t, nil, "mosquitto_pub", "-h", host, "-p", port, "--cafile", anchors, "--cert", c.badge.cert, "--key", c.badge.key,
			"-i", c.client, "-q", "1", "-t", button.Base+"/press", "-m", fmt.Sprintf(`{"press_type":"single","sequence_id":%d,"boot_id":"b1"}`, seq))
		attempts++
		if in := err == nil; in != (c.reason == "") {
			t.Errorf("mosquitto_pub with a certificate %s: let in %t: %v %s", c.what, in, err, out)
		}
		if c.reason == "" {
			continue
		}
		waitFor(t, 20*time.Second, "the denials of a certificate "+c.what, func() bool { return named() == before+attempts })
	}
	if n := len(list[pressView](api, "/api/v1/devices/btn-001/presses")); n != 1 {
		t.Errorf("%d presses are stored", n)
	}
}

// F18: a certificate is revoked while its device is connected.
func TestF18_RevokedWhileConnectedTheSocketIsClosedWithoutWillAndResumptionIsRefused(t *testing.T) {
	t.Parallel()
	for version, number := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(version, func(t *testing.T) {
			hub, api, _ := startHub(t)
			button := api.addDevice("btn-001", "button", "cabin-101")
			own := api.certify("btn-001")
			ear := dialWire(t, hub.Listeners["mqtt"], api.addTo(api.wide("wide"), "watch-001", "watch", "bridge"), hello{})
			ear.subscribe(t, "obedio/yacht-1/#", 1)
			told := &heard{}
			go func() { _ = ear.read(told.take) }()

			pool := x509.NewCertPool()
			anchors, err := os.ReadFile(api.anchors())
			if err != nil || !pool.AppendCertsFromPEM(anchors) {
				t.Fatal(err)
			}
			settings := &tls.Config{
				RootCAs: pool, ServerName: identity.SiteServerName, Certificates: []tls.Certificate{own.Certificate},
				MinVersion: number, MaxVersion: number, ClientSessionCache: tls.NewLRUClientSessionCache(4),
			}
			connect := func() (*wire, bool, error) {
				c, err := tls.Dial("tcp", hub.Listeners["mqtts"], settings)
				if err != nil {
					return nil, false, err
				}
				t.Cleanup(func() { _ = c.Close() })
				w, err := greet(c, device{ID: button.ID, Base: button.Base}, hello{will: "gone"})
				return w, c.ConnectionState().DidResume, err
			}
			first, _, err := connect()
			if err != nil {
				t.Fatal(err)
			}
			_, _ = first.Write([]byte{0xe0, 0})
			ended(t, "the first connection", first)
			w, resumed, err := connect()
			if err != nil || !resumed {
				t.Fatalf("resumed %t: %v", resumed, err)
			}
			closed := make(chan time.Time)
			go func() {
				_, _, _ = w.next()
				closed <- time.Now()
			}()
			began := time.Now()
			api.call(http.MethodDelete, "/api/v1/security/certificates/"+own.serial+"?reason=key_compromise", nil, nil)
			select {
			case at := <-closed:
				t.Logf("closed %s after the request to revoke", at.Sub(began).Round(time.Millisecond))
			case <-time.After(20 * time.Second):
				t.Fatal("the socket is open")
			}
			if _, resumed, err := connect(); err == nil {
				t.Errorf("let in again, by resumption %t", resumed)
			} else {
				t.Logf("refused, by resumption %t: %v", resumed, err)
			}
			settings.ClientSessionCache = nil
			if _, _, err := connect(); err == nil {
				t.Error("let in again by a full handshake")
			}
			// What is said now comes after a will would have come.
			waitFor(t, 20*time.Second, "the hub to have ended the session", func() bool { return api.counters().Connected == 1 })
			sensor := dial(t, hub.Listeners["mqtt"], api.addDevice("sensor-001", "sensor", "store"))
			if !sensor.send("metrics", map[string]int{"n": 1}) {
				t.Fatal("not acknowledged")
			}
			waitFor(t, 20*time.Second, "the sensor's word", func() bool { return told.has(`{"n":1}`) })
			if told.has("gone") {
				t.Error("the will was sent")
			}
		})
	}
}

// mbedTLS builds a client of another hand, with the TLS library that devices'
// chips have.
func mbedTLS(t *testing.T) string {
	t.Helper()
	client := filepath.Join(t.TempDir(), "client")
	if out, err := other(t, nil, "cc", "-Wall", "-Wextra", "-Werror", "-o", client, filepath.Join("mbedtls", "client.c"), "-lmbedtls", "-lmbedx509", "-lmbedcrypto"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return client
}

func TestMbedTLS_ConnectsWhateverNameConstraintsTheFleetSetsAndPeopleTrustTheFleetRoot(t *testing.T) {
	t.Parallel()
	client := mbedTLS(t)
	hub, api, data := startHub(t)
	api.addDevice("btn-001", "button", "cabin-101")
	own := api.certify("btn-001")
	host, port, err := net.SplitHostPort(hub.Listeners["mqtts"])
	if err != nil {
		t.Fatal(err)
	}
	for _, constraints := range []string{"off", "non-critical", "critical"} {
		f := &fleet{hub: hub, board: api, boardData: data}
		f.console, f.shore, f.shoreData = startConsole(t, "--name-constraints", constraints)
		f.link = relay(t, f.console.Listeners["hublink"])
		claim := f.enrol(t)
		if out, err := other(t, nil, client, host, port, api.anchors(), own.cert, own.key, "btn-001"); err != nil || !strings.Contains(out, "connack 0") {
			t.Errorf("%s: %v %s", constraints, err, out)
		}
		// Who trusts the fleet root trusts the hub's web, by the chain that it shows.
		roots := x509.NewCertPool()
		conn, err := tls.Dial("tcp", hub.Listeners["https"], &tls.Config{
			InsecureSkipVerify: true, // verified below, against the root that the claim names
			VerifyConnection: func(s tls.ConnectionState) error {
				if len(s.PeerCertificates) != 2 {
					return fmt.Errorf("%d certificates", len(s.PeerCertificates))
				}
				ca := s.PeerCertificates[1]
				if bound := len(ca.PermittedURIDomains) == 1; bound != (constraints != "off") || ca.PermittedDNSDomainsCritical != (constraints == "critical") {
					return fmt.Errorf("name constraints %v, critical %t", ca.PermittedURIDomains, ca.PermittedDNSDomainsCritical)
				}
				roots.AddCert(fleetRoot(t, f.shoreData, claim))
				between := x509.NewCertPool()
				between.AddCert(ca)
				_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: "localhost"})
				return err
			},
		})
		if err != nil {
			t.Errorf("%s: %v", constraints, err)
			continue
		}
		_ = conn.Close()
	}
}

// fleetRoot reads the root of a console, which is the one that a claim names.
func fleetRoot(t *testing.T, data string, claim identity.Claim) *x509.Certificate {
	t.Helper()
	chain, err := secretfile.Dir(filepath.Join(data, "pki")).Certificates("fleet-root")
	if err != nil {
		t.Fatal(err)
	}
	if identity.Fingerprint(chain[0]) != claim.FleetRoot {
		t.Fatal("the claim names another root")
	}
	return chain[0]
}

func TestMbedTLS_ConnectsWithItsCertificate(t *testing.T) {
	t.Parallel()
	hub, api, _ := startHub(t)
	api.addDevice("btn-001", "button", "cabin-101")
	own, anchors := api.certify("btn-001"), api.anchors()
	client := mbedTLS(t)
	host, port, err := net.SplitHostPort(hub.Listeners["mqtts"])
	if err != nil {
		t.Fatal(err)
	}
	out, err := other(t, nil, client, host, port, anchors, own.cert, own.key, "btn-001")
	if err != nil || !strings.Contains(out, "connack 0") {
		t.Errorf("%v %s", err, out)
	}
	t.Log(strings.TrimSpace(out))
	if out, err := other(t, nil, client, host, port, anchors, own.cert, own.key, "btn-002"); err != nil || !strings.Contains(out, "connack 2") {
		t.Errorf("with another's client id: %v %s", err, out)
	}
	if out, err := other(t, nil, client, host, port, own.cert, own.cert, own.key, "btn-001"); err == nil {
		t.Errorf("it trusts anybody: %s", out)
	}
	b, err := json.Marshal(api.denials("btn-002"))
	if err != nil || !strings.Contains(string(b), "client_id") {
		t.Errorf("%s %v", b, err)
	}
}
