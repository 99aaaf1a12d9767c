package join

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

// authority signs for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	a := authority{key: key}
	a.cert = a.sign(t, &x509.Certificate{IsCA: true, KeyUsage: x509.KeyUsageCertSign}, &key.PublicKey)
	return a
}

func (a authority) sign(t *testing.T, c *x509.Certificate, pub *ecdsa.PublicKey) *x509.Certificate {
	t.Helper()
	var err error
	if c.SerialNumber, err = identity.NewSerial(); err != nil {
		t.Fatal(err)
	}
	c.Subject, c.BasicConstraintsValid = pkix.Name{CommonName: "test"}, true
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := a.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// hub answers claims, under the authority own; it shows anchors.
type hub struct {
	*httptest.Server
	claims []string
}

func startHub(t *testing.T, own authority, anchors ...authority) *hub {
	t.Helper()
	h := &hub{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/provision/ca.crt", func(w http.ResponseWriter, _ *http.Request) {
		for _, a := range anchors {
			_, _ = w.Write(identity.PEM(a.cert.Raw))
		}
	})
	mux.HandleFunc("POST /api/v1/provision/claim", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h.claims = append(h.claims, string(body))
		var in claim
		if err := json.Unmarshal(body, &in); err != nil || in.Token == "used" {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"title":"Conflict","detail":"the token was used"}`)
			return
		}
		out := Joined{DeviceID: "btn-1", BrokerURLs: []string{"mqtts://hub:8883"}, Topics: map[string]string{"base": "obedio/y/r/button/btn-1"}}
		if in.CSR == "" {
			out.Username, out.Password = "btn-1", "secret"
		} else {
			block, _ := pem.Decode([]byte(in.CSR))
			pub, err := identity.RequestedKey(block.Bytes)
			if err != nil {
				t.Error(err)
			}
			out.Certificate, out.Chain = string(identity.PEM(own.sign(t, &x509.Certificate{}, pub).Raw)), string(identity.PEM(own.cert.Raw))
		}
		_ = json.NewEncoder(w).Encode(out)
	})
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	leaf := own.sign(t, &x509.Certificate{DNSNames: []string{identity.SiteServerName}}, &key.PublicKey)
	h.Server = httptest.NewUnstartedServer(mux)
	h.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are refused
	h.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}}
	h.StartTLS()
	t.Cleanup(h.Close)
	return h
}

func (h *hub) payload(fingerprint string) Payload {
	return Payload{
		Token: "obt_1", EnrolURL: h.URL + "/api/v1/provision/claim", AnchorsURL: h.URL + "/api/v1/provision/ca.crt", CAFingerprint: fingerprint,
	}
}

func newHardware(t *testing.T) *Hardware {
	t.Helper()
	h, err := NewHardware("test-")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestByToken_HasItsOwnKeyAndTrustsTheSite(t *testing.T) {
	site := newAuthority(t)
	h := startHub(t, site, newAuthority(t), site)
	d := newHardware(t)
	j, err := d.ByToken(t.Context(), h.payload(identity.Fingerprint(site.cert)))
	if err != nil {
		t.Fatal(err)
	}
	if j.Credentials.Username != "" || j.Credentials.Anchors != string(identity.PEM(site.cert.Raw)) {
		t.Errorf("%+v", j.Credentials)
	}
	pair, err := tls.X509KeyPair([]byte(j.Credentials.Certificate), []byte(j.Credentials.Key))
	if err != nil || !d.key.Equal(pair.PrivateKey) {
		t.Errorf("not the device's key: %v", err)
	}
	p := h.payload(identity.Fingerprint(site.cert))
	p.Token = "used"
	var no *Refusal
	if _, err := d.ByToken(t.Context(), p); !errors.As(err, &no) || no.Status != http.StatusConflict {
		t.Errorf("%v", err)
	}
	if j, err = d.ByPassword(t.Context(), h.payload(identity.Fingerprint(site.cert))); err != nil || j.Credentials.Password != "secret" {
		t.Errorf("%+v %v", j, err)
	}
}

func TestByToken_AnotherHubNeverSeesTheToken(t *testing.T) {
	site, other := newAuthority(t), newAuthority(t)
	for name, h := range map[string]*hub{
		"with its own certificates": startHub(t, other, other),
		"with the site's":           startHub(t, other, site),
		"with both":                 startHub(t, other, site, other),
	} {
		_, err := newHardware(t).ByToken(t.Context(), h.payload(identity.Fingerprint(site.cert)))
		if !errors.Is(err, ErrImpostor) || len(h.claims) != 0 {
			t.Errorf("%s: %v, and it has read %v", name, err, h.claims)
		}
	}
}

func TestParsePayload_SaysWhatIsWrong(t *testing.T) {
	good := map[string]any{
		"version": "2.0", "protocol": "mqtt", "token": "obt_1", "site": "yacht-1", "room": "cabin-1", "deviceType": "button",
		"mqttBrokerUrl": "mqtts://hub:8883", "certificateDownloadUrl": "https://hub/ca.crt", "enrollUrl": "https://hub/claim",
		"caFingerprint": strings.Repeat("0a", 32), "unknown": 1,
	}
	parse := func() error {
		b, err := json.Marshal(good)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParsePayload(b)
		return err
	}
	if err := parse(); err != nil {
		t.Fatal(err)
	}
	for field, bad := range map[string]string{
		"version": "3.0", "protocol": "coap", "token": "", "site": "a/b", "room": "", "deviceType": "kettle",
		"mqttBrokerUrl": "hub:1883", "enrollUrl": "ftp://hub", "certificateDownloadUrl": "", "caFingerprint": "0a0b",
	} {
		was := good[field]
		good[field] = bad
		if err := parse(); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s %q: %v", field, bad, err)
		}
		good[field] = was
	}
}
