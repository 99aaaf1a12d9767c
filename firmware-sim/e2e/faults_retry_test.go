package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// F2: kill after the log and before the answer. All or nothing, and who asks
// again, since he was not answered, gets what he had asked for, once.

// silencer relays requests and swallows the answers: when the first byte of an
// answer has come the decision is in the log, and nobody has been answered.
type silencer struct {
	net.Listener
	answering chan struct{}
}

func newSilencer(t *testing.T, to string) *silencer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &silencer{l, make(chan struct{})}
	go func() {
		in, err := l.Accept()
		if err != nil {
			return
		}
		defer in.Close()
		out, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer out.Close()
		go func() {
			for b := make([]byte, 4096); ; {
				n, err := in.Read(b)
				if _, werr := out.Write(b[:n]); err != nil || werr != nil {
					return
				}
			}
		}()
		b := make([]byte, 4096)
		_, _ = out.Read(b)
		close(s.answering)
		_, _ = out.Read(b) // until the hub is gone; its client loses the connection then
	}()
	t.Cleanup(func() { _ = l.Close() })
	return s
}

// certView is what a test looks at of a certificate.
type certView struct {
	Serial string `json:"serial"`
	State  string `json:"state"`
}

// newCSR is a certificate request for a key that nobody needs again.
func newCSR(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// change is one decision that is asked for by REST.
type change struct {
	method, path string
	body         any
	header       []string
}

// cutOff asks, kills the hub when killed says so, and starts it again. It
// returns the status if there was an answer before, else 0.
func (c change) cutOff(t *testing.T, hub *program, a *api, base string, killed <-chan struct{}) int {
	t.Helper()
	status := make(chan int, 1)
	asker := *a
	asker.base = base
	go func() {
		resp, _, err := asker.try(c.method, c.path, c.body, c.header...)
		if err != nil {
			status <- 0
			return
		}
		status <- resp.StatusCode
	}()
	<-killed
	hub.kill()
	got := <-status
	hub.run()
	return got
}

// located are the commands that the tests below send; a device that is moved is
// sent one by the hub itself.
func located(a *api) []commandView {
	return slices.DeleteFunc(list[commandView](a, "/api/v1/commands"), func(v commandView) bool { return v.Name != "locate" })
}

func TestF2_KillAfterTheLogBeforeTheAnswerTheRetryIsTheSameDecision(t *testing.T) {
	t.Parallel()
	hub, api, _ := startHub(t)
	b := dial(t, hub.Listeners["mqtt"], api.addDevice("btn-001", "button", "cabin-101"))
	if !b.send("press", press(1)) {
		t.Fatal("press not acknowledged")
	}
	api.addDevice("watch-001", "watch", "bridge")
	api.addDevice("sensor-001", "sensor", "store")
	request := list[requestView](api, "/api/v1/requests?state=open")[0]
	var token struct {
		ID    string `json:"id"`
		Token string `json:"token"`
	}
	api.call(http.MethodPost, "/api/v1/provision/tokens", map[string]any{"type": "button", "room": "cabin-9", "device_id": "btn-009"}, &token)
	var issued struct {
		Serial string `json:"serial"`
	}
	api.call(http.MethodPost, "/api/v1/security/certificates", map[string]any{"device_id": "sensor-001"}, &issued)
	etag := func(path string) string {
		t.Helper()
		resp, _ := api.do(http.MethodGet, path, nil)
		return resp.Header.Get("ETag")
	}
	cases := []struct {
		name string
		change
		retry int         // what the retry is answered
		holds func() bool // whether the decision is there, once
	}{
		{"command", change{"POST", "/api/v1/devices/watch-001/command", map[string]any{"name": "locate"}, []string{"Idempotency-Key", "k-command"}}, 202,
			func() bool { return len(located(api)) == 1 }},
		{"profile", change{"POST", "/api/v1/security/profiles", map[string]any{"profile_name": "quiet"}, []string{"Idempotency-Key", "k-profile"}}, 409,
			func() bool {
				resp, _ := api.do("GET", "/api/v1/security/profiles/quiet", nil)
				return resp.StatusCode == 200
			}},
		{"move", change{"PUT", "/api/v1/devices/sensor-001", map[string]any{"room": "galley"}, []string{"If-Match", etag("/api/v1/devices/sensor-001")}}, 412,
			func() bool {
				var d struct{ Room string }
				api.call("GET", "/api/v1/devices/sensor-001", nil, &d)
				return d.Room == "galley"
			}},
		{"claim", change{"POST", "/api/v1/provision/claim", map[string]any{"token": token.Token, "csr": newCSR(t)}, nil}, 200,
			func() bool {
				var v struct {
					State string `json:"state"`
				}
				api.call("GET", "/api/v1/provision/tokens/"+token.ID, nil, &v)
				certs := list[certView](api, "/api/v1/security/certificates?filter=device:btn-009")
				resp, _ := api.do("GET", "/api/v1/devices/btn-009", nil)
				return v.State == "used" && len(certs) == 1 && resp.StatusCode == 200
			}},
		{"revocation", change{"DELETE", "/api/v1/security/certificates/" + issued.Serial, nil, nil}, 409,
			func() bool {
				var v certView
				api.call("GET", "/api/v1/security/certificates/"+issued.Serial, nil, &v)
				return v.State == "revoked"
			}},
		{"accept", change{"POST", "/api/v1/requests/" + request.ID + "/accept", map[string]any{"version": request.Version}, []string{"Idempotency-Key", "k-accept"}}, 409,
			func() bool {
				var r requestView
				api.call("GET", "/api/v1/requests/"+request.ID, nil, &r)
				return r.State == "accepted" && r.Version == request.Version+1
			}},
	}
	for _, c := range cases {
		s := newSilencer(t, strings.TrimPrefix(api.base, "http://"))
		if got := c.cutOff(t, hub, api, "http://"+s.Addr().String(), s.answering); got != 0 {
			t.Fatalf("%s: answered %d through the silencer", c.name, got)
		}
		if !c.holds() {
			t.Errorf("%s: the hub was about to answer, and what it decided is not there", c.name)
		}
		resp, body := api.do(c.method, c.path, c.body, c.header...)
		if resp.StatusCode != c.retry || !c.holds() {
			t.Errorf("%s: the retry is answered %s %s", c.name, resp.Status, body)
		}
		t.Logf("%s: there after the kill; the retry gets %s", c.name, resp.Status)
	}
}

func TestF2_KillAtAnyMomentOfADecisionIsAllOrNothing(t *testing.T) {
	t.Parallel()
	hub, api, _ := startHub(t)
	rng := seeded(t)
	d := api.addDevice("watch-001", "watch", "room-0")
	// The moments are spread over twice the time that a decision takes here.
	var span time.Duration
	for range 3 {
		began := time.Now()
		api.call(http.MethodPost, "/api/v1/devices/watch-001/command", map[string]any{"name": "locate"}, nil)
		span = max(span, 2*time.Since(began))
	}
	answered, silent, undone := 0, 0, 0
	for round := range 24 {
		commands := len(located(api))
		resp, _ := api.do(http.MethodGet, "/api/v1/devices/watch-001", nil)
		room := fmt.Sprintf("room-%d", round+1)
		send := change{"POST", "/api/v1/devices/watch-001/command", map[string]any{"name": "locate"}, []string{"Idempotency-Key", room}}
		move := change{"PUT", "/api/v1/devices/watch-001", map[string]any{"room": room}, []string{"If-Match", resp.Header.Get("ETag")}}
		c := send
		if round%2 == 1 {
			c = move
		}
		when := make(chan struct{})
		time.AfterFunc(time.Duration(rng.Int64N(int64(span))), func() { close(when) })
		status := c.cutOff(t, hub, api, api.base, when)

		var now struct {
			Room string
			Base string `json:"base_topic"`
		}
		api.call(http.MethodGet, "/api/v1/devices/watch-001", nil, &now)
		there := now.Room == room
		if round%2 == 0 {
			there = len(located(api)) == commands+1
		}
		switch {
		case status != 0 && !there:
			t.Errorf("round %d: answered %d, and it is not there", round, status)
		case status != 0:
			answered++
		case there:
			silent++
		default:
			undone++
		}
		retried, body := api.do(c.method, c.path, c.body, c.header...)
		if round%2 == 0 {
			var v commandView
			_ = json.Unmarshal(body, &v)
			all := located(api)
			if retried.StatusCode != http.StatusAccepted || len(all) != commands+1 || all[0].ID != v.ID {
				t.Errorf("round %d: the retry gets %s; %d commands after %d", round, retried.Status, len(all), commands)
			}
			// It must not fill the device's queue.
			api.call(http.MethodPost, "/api/v1/commands/"+v.ID+"/cancel", map[string]any{}, nil)
			continue
		}
		if want := map[bool]int{true: http.StatusPreconditionFailed, false: http.StatusOK}[there]; retried.StatusCode != want {
			t.Errorf("round %d: the retry gets %s, want %d", round, retried.Status, want)
		}
		// Half a move would show in the rights: they follow the room.
		d.Base = "obedio/yacht-1/" + room + "/watch/watch-001"
		w := dialWire(t, hub.Listeners["mqtt"], d, hello{})
		w.subscribe(t, d.Base+"/cmd/#", 1)
		_ = w.Close()
	}
	t.Logf("24 kills within %s: %d answered, %d done and not answered, %d not done", span.Round(time.Microsecond), answered, silent, undone)
}
