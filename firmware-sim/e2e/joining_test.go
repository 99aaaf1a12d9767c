package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/join"
)

// oneButton is a scenario with buttons whose guests call all the time.
const oneButton = `
name: one-button
story: A guest calls, and calls again.
endless: true
devices:
  - {group: cabins, type: button, count: 1, id: "btn-%03d", rooms: "cabin-1%02d", resend: 1s..2s, backoff: 1s..3s}
timeline:
  - {at: 0s, do: connect, who: all}
  - {at: 0s, do: calls, who: cabins, rate: 30}
`

// simulator runs obedio-sim until its end is asked for.
type simulator struct {
	t   *testing.T
	cmd *exec.Cmd
	log *logBuffer
}

// simulate plays oneButton, ten times as fast as real time; dir keeps the
// devices.
func simulate(t *testing.T, api *api, dir string, more ...string) *simulator {
	t.Helper()
	for name, text := range map[string]string{"script.yaml": oneButton, "token": api.token} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &simulator{t: t, log: &logBuffer{}}
	s.cmd = exec.Command(filepath.Join(bin, "obedio-sim"), append([]string{"run", filepath.Join(dir, "script.yaml"), "--hub", api.base,
		"--token-file", filepath.Join(dir, "token"), "--state", filepath.Join(dir, "state.json"), "--speed", "10"}, more...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.end()
		if t.Failed() {
			t.Logf("log of obedio-sim:\n%s", tail(s.log.String(), 20))
		}
	})
	return s
}

func (s *simulator) end() {
	if s.cmd.ProcessState != nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("obedio-sim: %v", err)
	}
}

func presses(api *api, id string) int {
	api.t.Helper()
	return len(list[pressView](api, "/api/v1/devices/"+id+"/presses"))
}

// goesOn waits until the hub has a press that was not there before.
func goesOn(t *testing.T, api *api, id, when string) {
	t.Helper()
	before := presses(api, id)
	waitFor(t, 30*time.Second, "a press of "+id+" "+when, func() bool { return presses(api, id) > before })
}

type certificateOf struct {
	Serial, State, Reason string
	DeviceID              string `json:"device_id"`
}

func certificates(api *api, id string) []certificateOf {
	api.t.Helper()
	return list[certificateOf](api, "/api/v1/security/certificates?filter=kind:device+device:"+id)
}

// setUp makes the first administrator by the setup code that the hub prints, and
// a token for programs, all over the API.
func setUp(t *testing.T, hub *program) *api {
	t.Helper()
	code := regexp.MustCompile(`setup code (\S+)`).FindStringSubmatch(hub.log.String())
	if code == nil {
		t.Fatal("no setup code")
	}
	a := &api{t: t, base: "http://" + hub.Listeners["http"]}
	resp, b := a.do(http.MethodPost, "/api/v1/setup", map[string]string{"code": code[1], "username": "captain", "password": "a-long-password"})
	if resp.StatusCode != http.StatusCreated || len(resp.Cookies()) == 0 {
		t.Fatalf("setup: %s %s", resp.Status, b)
	}
	cookie := resp.Cookies()[0]
	resp, b = a.do(http.MethodPost, "/api/v1/tokens", map[string]string{"name": "simulator", "role": "admin"}, "Cookie", cookie.Name+"="+cookie.Value, "Authorization", "")
	var made struct{ Token string }
	if err := json.Unmarshal(b, &made); err != nil || made.Token == "" {
		t.Fatalf("token: %s %s", resp.Status, b)
	}
	a.token = made.Token
	return a
}

func TestJoining_FromNothingAndThroughEnrolmentReconnectAndRestarts(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "hub")
	hub := start(t, "obedio-hub", data, "--site", "yacht-1", "--mqtt", "", "--mqtt-ws", "", "--mqtts", "127.0.0.1:0", "--https", "127.0.0.1:0",
		"--http", "127.0.0.1:0", "--uplink-state-every", "500ms", "--uplink-retry-first", "300ms", "--uplink-retry-most", "1s")
	api := setUp(t, hub)
	dir := t.TempDir()
	sim := simulate(t, api, dir)
	waitFor(t, 30*time.Second, "the guest's request", func() bool { return len(list[requestView](api, "/api/v1/requests?state=open")) == 1 })
	joined := certificates(api, "btn-001")
	if len(joined) != 1 || joined[0].State != "valid" {
		t.Fatalf("certificates %+v", joined)
	}

	f := &fleet{hub: hub, board: api, boardData: data}
	f.console, f.shore, f.shoreData = startConsole(t)
	f.link = relay(t, f.console.Listeners["hublink"])
	f.enrol(t)
	f.inSync(t)
	goesOn(t, api, "btn-001", "after the enrolment")

	var c commandView
	api.call(http.MethodPost, "/api/v1/devices/btn-001/command", map[string]string{"name": "reset"}, &c)
	waitFor(t, 30*time.Second, "the button to be back after its restart", func() bool {
		api.call(http.MethodGet, "/api/v1/commands/"+c.ID, nil, &c)
		return c.State == "succeeded"
	})
	goesOn(t, api, "btn-001", "after a reconnect")
	hub.stop()
	hub.run()
	goesOn(t, api, "btn-001", "after a restart of the hub")

	sim.end()
	if info, err := os.Stat(filepath.Join(dir, "state.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the devices' keys are in a file with mode %v: %v", info.Mode(), err)
	}
	// One that is known comes back, and one more joins, at a hub of a fleet.
	simulate(t, api, dir, "--devices", "2")
	goesOn(t, api, "btn-001", "after a restart of the device")
	goesOn(t, api, "btn-002", "that has joined after the enrolment")
	if now := certificates(api, "btn-001"); len(now) != 1 || now[0] != joined[0] {
		t.Errorf("certificates %+v", now)
	}
	if n := len(api.denials("")); n != 0 {
		t.Errorf("%+v", api.denials(""))
	}
}

// The other ways to join.
func TestJoining_ByCodeLabelMQTTAndPassword(t *testing.T) {
	t.Parallel()
	_, api, _ := startHub(t)
	for way, certified := range map[string]int{"code": 1, "label": 1, "mqtt": 1, "password": 0} {
		dir := t.TempDir()
		sim := simulate(t, api, dir, "--join", way, "--prefix", way+"-")
		id := way + "-btn-001"
		waitFor(t, 30*time.Second, id+" to press", func() bool {
			resp, _ := api.do(http.MethodGet, "/api/v1/devices/"+id, nil)
			return resp.StatusCode == http.StatusOK && presses(api, id) > 0
		})
		sim.end()
		if n := len(certificates(api, id)); n != certified {
			t.Errorf("%s: %d certificates", way, n)
		}
	}
	if n := len(api.denials("")); n != 0 {
		t.Errorf("%+v", api.denials(""))
	}
}

// tokenView is a provisioning token.
type tokenView struct {
	ID, State, Serial string
	DeviceID          string `json:"device_id"`
	Payload           json.RawMessage
}

// token makes a provisioning token for a button, and reads its QR code.
func (a *api) provisionToken(id string) (tokenView, join.Payload) {
	a.t.Helper()
	var made tokenView
	a.call(http.MethodPost, "/api/v1/provision/tokens", map[string]string{"type": "button", "room": "cabin-101", "device_id": id}, &made)
	p, err := join.ParsePayload(made.Payload)
	if err != nil {
		a.t.Fatal(err)
	}
	return made, p
}

func newHardware(t *testing.T) *join.Hardware {
	t.Helper()
	h, err := join.NewHardware("test-")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestJoining_OfTwoDevicesWithOneTokenOneGetsIt(t *testing.T) {
	t.Parallel()
	_, api, _ := startHub(t)
	for i := range 20 {
		id := fmt.Sprintf("btn-%03d", i)
		_, payload := api.provisionToken(id)
		var both sync.WaitGroup
		errs := make([]error, 2)
		got := make([]join.Joined, 2)
		for n := range errs {
			h := newHardware(t)
			both.Go(func() { got[n], errs[n] = h.ByToken(t.Context(), payload) })
		}
		both.Wait()
		winner, loser := 0, 1
		if errs[0] != nil {
			winner, loser = 1, 0
		}
		var no *join.Refusal
		if errs[winner] != nil || !errors.As(errs[loser], &no) || no.Status != http.StatusConflict {
			t.Fatalf("round %d: %v", i, errs)
		}
		if n := len(certificates(api, id)); n != 1 {
			t.Errorf("round %d: %d certificates", i, n)
		}
		sum := sha256.Sum256(got[winner].Configuration)
		if hex.EncodeToString(sum[:]) != payload.ConfigurationHash {
			t.Errorf("the configuration is not that of the QR code: %s", got[winner].Configuration)
		}
	}
}

// F1 for joining: kill -9 in the middle of claims.
func TestF1_Kill9DuringClaimsATokenIsUsedWithItsDeviceOrOpenWithout(t *testing.T) {
	t.Parallel()
	hub, api, data := startHub(t)
	rng := seeded(t)
	const claims, kills = 100, 4
	type claim struct {
		token   tokenView
		payload join.Payload
		device  *join.Hardware
		got     join.Joined
		err     error
	}
	all := make([]claim, claims)
	for i := range all {
		all[i].token, all[i].payload = api.provisionToken(fmt.Sprintf("btn-%03d", i))
		all[i].device = newHardware(t)
	}
	next := make(chan *claim, claims)
	for i := range all {
		next <- &all[i]
	}
	close(next)
	lost, joined := 0, 0 // claims without an answer; those of them that count
	for k := range kills + 1 {
		// Each claim writes two requests; what is counted is what the hub is sent.
		killAt, sent := int64(4+rng.IntN(2*claims/kills-8)), atomic.Int64{}
		reached, done := make(chan struct{}), make(chan struct{})
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) {
			if sent.Add(1) == killAt {
				close(reached)
			}
		}})
		if k == kills {
			ctx = t.Context() // the rest
		}
		var working sync.WaitGroup
		for range 4 {
			working.Go(func() {
				for c := range next {
					if c.got, c.err = c.device.ByToken(ctx, c.payload); c.err != nil {
						return // the hub is gone
					}
				}
			})
		}
		go func() { working.Wait(); close(done) }()
		select {
		case <-reached:
			hub.kill()
			<-done
			hub.run()
		case <-done:
		}
	}
	states := map[string]tokenView{}
	for _, v := range list[tokenView](api, "/api/v1/provision/tokens") {
		states[v.ID] = v
	}
	for i := range all {
		c := &all[i]
		id, now := fmt.Sprintf("btn-%03d", i), states[c.token.ID]
		resp, _ := api.do(http.MethodGet, "/api/v1/devices/"+id, nil)
		there, certified := resp.StatusCode == http.StatusOK, certificates(api, id)
		switch {
		case now.State == "open" && !there && len(certified) == 0 && c.err != nil:
			lost++
		case now.State == "used" && there && len(certified) == 1 && certified[0].Serial == now.Serial && now.DeviceID == id:
			if c.err != nil {
				lost, joined = lost+1, joined+1
			}
		default:
			t.Errorf("%s: token %+v, device there %t, certificates %+v, claim %v", id, now, there, certified, c.err)
		}
		again, err := c.device.ByToken(t.Context(), c.payload)
		if err != nil {
			t.Errorf("%s asks again: %v", id, err)
		}
		if c.err == nil && again.Certificate != c.got.Certificate {
			t.Errorf("%s gets another certificate", id)
		}
		if _, err := newHardware(t).ByToken(t.Context(), c.payload); err == nil {
			t.Errorf("%s: another device gets it too", id)
		}
	}
	t.Logf("%d of %d claims had no answer; %d of these devices had joined", lost, claims, joined)
	hub.stop()
	cli(t, "", "obedio-hub", "verify", "--data", data)
}

// A device renews its certificate in time; one that was away until it had expired
// renews it in its quarantine.
func TestRenewal_InTimeAndInTheQuarantine(t *testing.T) {
	t.Parallel()
	_, api, _ := startHub(t, "--device-certificate-life", "4s")
	dir := t.TempDir()
	sim := simulate(t, api, dir)
	newest := func() (c certificateOf) {
		for _, c = range certificates(api, "btn-001") {
			if c.State != "revoked" {
				return c
			}
		}
		return c
	}
	renewed := func() (n int) {
		for _, c := range certificates(api, "btn-001") {
			if c.State == "revoked" && c.Reason == "superseded" {
				n++
			}
		}
		return n
	}
	waitFor(t, 30*time.Second, "the first certificate to be replaced", func() bool { return renewed() > 0 })
	goesOn(t, api, "btn-001", "with its second certificate")
	sim.end()
	waitFor(t, 30*time.Second, "the last certificate to expire", func() bool { return newest().State == "expired" })
	was := renewed()
	simulate(t, api, dir)
	goesOn(t, api, "btn-001", "that was away until its certificate had expired")
	if renewed() <= was {
		t.Error("it goes on without having renewed")
	}
	// It knows what it may do; on a slow machine a certificate may expire before it
	// is replaced.
	for _, d := range api.denials("") {
		if d.Count > 10 {
			t.Errorf("%+v", d)
		}
	}
}
