package e2e

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func startHub(t *testing.T, more ...string) (*program, *api, string) {
	t.Helper()
	data := filepath.Join(t.TempDir(), "hub")
	args := append([]string{
		"--site", "yacht-1", "--mqtt", "127.0.0.1:0", "--mqtts", "127.0.0.1:0", "--https", "127.0.0.1:0", "--mqtt-ws", "127.0.0.1:0", "--http", "127.0.0.1:0",
		"--uplink-state-every", "500ms", "--uplink-retry-first", "300ms", "--uplink-retry-most", "1s",
	}, more...)
	p := start(t, "obedio-hub", data, args...)
	return p, p.face(data), data
}

type requestView struct {
	ID         string `json:"request_id"`
	DeviceID   string `json:"device_id"`
	State      string `json:"state"`
	Priority   string `json:"priority"`
	Version    int    `json:"version"`
	Presses    int    `json:"presses"`
	AcceptedBy *struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"accepted_by"`
}

type pressView struct {
	Boot string `json:"boot_id"`
	Seq  int    `json:"sequence_id"`
}

type commandView struct {
	Name  string `json:"name"`
	ID    string `json:"command_id"`
	State string `json:"state"`
	Steps []struct {
		State string `json:"state"`
	} `json:"steps"`
}

func TestAccept_TwoClientsAtOnce200TimesOneWinsAndTheOtherLearnsWho(t *testing.T) {
	t.Parallel()
	hub, api, data := startHub(t)
	b := dial(t, hub.Listeners["mqtt"], api.addDevice("btn-001", "button", "cabin-101"))
	tokens := []string{api.token, hub.face(data).token}
	for i := range 200 {
		if !b.send("press", press(i+1)) {
			t.Fatal("press not acknowledged")
		}
		open := list[requestView](api, "/api/v1/requests?state=open")
		if len(open) != 1 {
			t.Fatalf("round %d: %d open requests", i, len(open))
		}
		var both sync.WaitGroup
		codes, bodies := make([]int, 2), make([][]byte, 2)
		for n, token := range tokens {
			both.Go(func() {
				c := *api
				c.token = token
				resp, body, err := c.try(http.MethodPost, "/api/v1/requests/"+open[0].ID+"/accept", map[string]int{"version": open[0].Version})
				if err != nil {
					body = []byte(err.Error())
				} else {
					codes[n] = resp.StatusCode
				}
				bodies[n] = body
			})
		}
		both.Wait()
		winner, loser := 0, 1
		if codes[1] == http.StatusOK {
			winner, loser = 1, 0
		}
		if codes[winner] != http.StatusOK || codes[loser] != http.StatusConflict {
			t.Fatalf("round %d: %v %s %s", i, codes, bodies[0], bodies[1])
		}
		var won requestView
		var lost struct{ Request requestView }
		if err := json.Unmarshal(bodies[winner], &won); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(bodies[loser], &lost); err != nil || lost.Request.AcceptedBy == nil || *lost.Request.AcceptedBy != *won.AcceptedBy {
			t.Fatalf("round %d: the loser is told %s", i, bodies[loser])
		}
		api.call(http.MethodPost, "/api/v1/requests/"+won.ID+"/complete", map[string]int{"version": won.Version}, nil)
	}
}

func TestCommand_ToAnAbsentDeviceExpiresAndIsNeverPublishedAfterwards(t *testing.T) {
	t.Parallel()
	hub, api, _ := startHub(t)
	watch := api.addDevice("watch-001", "watch", "bridge")
	var c commandView
	api.call(http.MethodPost, "/api/v1/devices/watch-001/command", map[string]any{"name": "locate", "ttl_ms": 2000}, &c)
	waitFor(t, 20*time.Second, "the command to expire", func() bool {
		api.call(http.MethodGet, "/api/v1/commands/"+c.ID, nil, &c)
		return c.State == "expired"
	})
	w := dial(t, hub.Listeners["mqtt"], watch)
	// A command that is sent afterwards comes; the old one would have come first.
	api.call(http.MethodPost, "/api/v1/devices/watch-001/command", map[string]any{"name": "message", "args": map[string]string{"text": "hello"}}, nil)
	waitFor(t, 20*time.Second, "the second command", func() bool { return len(w.received("message")) > 0 })
	if got := w.received("locate"); len(got) > 0 {
		t.Errorf("published after its end: %v", got)
	}
	api.call(http.MethodGet, "/api/v1/commands/"+c.ID, nil, &c)
	if len(c.Steps) != 3 {
		t.Errorf("steps %+v", c.Steps)
	}
}

// The clients of another hand: Debian's mosquitto-clients.
func TestMosquitto_PressIsStoredOnceReceiptedAndEverythingElseIsRefused(t *testing.T) {
	t.Parallel()
	hub, api, data := startHub(t)
	out := cli(t, "", "obedio-hub", "device", "add", "--data", data, "--id", "btn-001", "--type", "button", "--room", "cabin-101", "--generate-password", "--json")
	var b struct {
		Username  string `json:"username"`
		Password  string `json:"password"`
		BaseTopic string `json:"base_topic"`
	}
	if err := json.Unmarshal([]byte(out), &b); err != nil {
		t.Fatal(err)
	}
	other := api.addDevice("btn-002", "button", "cabin-102")
	host, port, _ := strings.Cut(hub.Listeners["mqtt"], ":")
	run := func(program, password string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), program, append([]string{"-h", host, "-p", port, "-u", b.Username, "-P", password}, args...)...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	message := `{"press_type":"single","sequence_id":1,"boot_id":"b1"}`
	for range 2 {
		if out, err := run("mosquitto_pub", b.Password, "-q", "1", "-t", b.BaseTopic+"/press", "-m", message); err != nil {
			t.Fatalf("publish: %v %s", err, out)
		}
	}
	requests := list[requestView](api, "/api/v1/requests")
	if len(requests) != 1 || requests[0].Presses != 1 {
		t.Fatalf("requests %+v", requests)
	}
	got, err := run("mosquitto_sub", b.Password, "-q", "1", "-C", "1", "-W", "20", "-t", b.BaseTopic+"/cmd/receipt")
	if err != nil || !strings.Contains(got, `"stage":"stored"`) || !strings.Contains(got, `"sequence_id":1`) {
		t.Errorf("receipt: %v %s", err, got)
	}
	for name, args := range map[string][]string{
		"wrong password":  {"mosquitto_pub", "wrong", "-q", "1", "-t", b.BaseTopic + "/press", "-m", message},
		"other's topic":   {"mosquitto_pub", b.Password, "-q", "1", "-t", other.Base + "/press", "-m", message},
		"other's topic 5": {"mosquitto_pub", b.Password, "-V", "5", "-q", "1", "-t", other.Base + "/press", "-m", message},
		"other client id": {"mosquitto_pub", b.Password, "-i", "btn-002", "-q", "1", "-t", b.BaseTopic + "/press", "-m", message},
		"own commands":    {"mosquitto_pub", b.Password, "-q", "1", "-t", b.BaseTopic + "/cmd/reset", "-m", "{}"},
	} {
		out, err := run(args[0], args[1], args[2:]...)
		if err == nil && !strings.Contains(out, "ot authorized") {
			t.Errorf("%s: went through: %s", name, out)
		}
	}
	if out, _ := run("mosquitto_sub", b.Password, "-W", "2", "-t", "#"); !strings.Contains(out, "denied") {
		t.Errorf("subscription to everything: %s", out)
	}
	if n := len(list[requestView](api, "/api/v1/requests")); n != 1 {
		t.Errorf("%d requests after all that", n)
	}
}

func TestRestart_RequestsCommandsAndDevicesAreThereAndOpenOnesRingAgain(t *testing.T) {
	t.Parallel()
	hub, api, _ := startHub(t)
	watch := api.addDevice("watch-001", "watch", "bridge")
	b := dial(t, hub.Listeners["mqtt"], api.addDevice("btn-001", "button", "cabin-101"))
	if !b.send("press", map[string]any{"press_type": "long", "sequence_id": 1, "boot_id": "b", "priority": "emergency"}) {
		t.Fatal("press not acknowledged")
	}
	hub.kill()
	hub.run()
	w := dial(t, hub.Listeners["mqtt"], watch)
	waitFor(t, 10*time.Second, "the emergency to ring again", func() bool {
		for _, n := range w.received("notify") {
			if n["priority"] == "emergency" && n["stage"] == "open" {
				return true
			}
		}
		return false
	})
}
