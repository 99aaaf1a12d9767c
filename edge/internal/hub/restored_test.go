package hub

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.golang/paho"

	"github.com/obedio/obedio/edge/internal/backup"
	"github.com/obedio/obedio/shared/fleet"
)

// A backup is made while a command waits for its device and an administrator
// is signed in. After the restore the hub has a new epoch, the command has
// failed with the reason and is never sent, and nobody is signed in.
func TestRestore_NothingOldIsRunAgain(t *testing.T) {
	d := smallDisk{dir: t.TempDir()}
	h := startFull(t, d)
	h.addDevice("btn-001")
	var command struct {
		ID string `json:"command_id"`
	}
	h.Call("POST", "/api/v1/devices/btn-001/command", map[string]any{"name": "reset"}, &command)
	h.Call("POST", "/api/v1/setup/local", map[string]any{"username": "mila", "password": "correct horse battery"}, nil)
	session := signIn(t, h)
	if code := asSession(h, session); code != http.StatusOK {
		t.Fatalf("signed in: %d", code)
	}
	var made struct {
		Name string `json:"name"`
	}
	before, digest := h.identity, digestOf(t, h)
	h.Call("POST", "/api/v1/backups", map[string]any{"plain": true}, &made)
	h.Call("POST", "/api/v1/devices/btn-001/command", map[string]any{"name": "blink"}, nil) // after the backup
	h.stop()

	data := filepath.Join(d.dir, "data")
	f, err := os.Open(filepath.Join(data, backup.Dir, made.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, aside, err := backup.Restore(t.Context(), f, backup.RestoreConfig{Dir: data, Replace: true, Now: time.Now()})
	if err != nil || aside == "" || m.Digest != digest {
		t.Fatalf("restored %s beside %q, want %s: %v", m.Digest, aside, digest, err)
	}

	h = startFull(t, d)
	if h.identity.Epoch == before.Epoch || h.identity.InstallID != before.InstallID {
		t.Errorf("identity %+v, before %+v", h.identity, before)
	}
	c, _, err := fleet.Get[fleet.Command](h.store, fleet.CommandRef(fleet.CommandID(command.ID)))
	if err != nil || c.State != fleet.CommandFailed || c.Error != restoredReason {
		t.Errorf("command is %s (%s), %v", c.State, c.Error, err)
	}
	if pending, err := h.store.PendingCommands(""); err != nil || len(pending) > 0 {
		t.Errorf("still pending: %v, %v", pending, err)
	}
	if code := asSession(h, session); code != http.StatusUnauthorized {
		t.Errorf("the session of then is answered with %d", code)
	}
	got := make(chan string, 10)
	h.connectWith(func(p *paho.Publish) { got <- p.Topic })
	if _, err := h.button.Subscribe(t.Context(), &paho.Subscribe{
		Subscriptions: []paho.SubscribeOptions{{Topic: "obedio/yacht-1/cabin-101/button/btn-001/cmd/#", QoS: 1}},
	}); err != nil {
		t.Fatal(err)
	}
	// A new command is sent, and it is the only one.
	h.Call("POST", "/api/v1/devices/btn-001/command", map[string]any{"name": "ping"}, nil)
	select {
	case topic := <-got:
		if !strings.HasSuffix(topic, "/cmd/ping") {
			t.Errorf("the device got %s", topic)
		}
	case <-time.After(20 * time.Second):
		t.Error("the device got nothing")
	}
	if _, found, err := h.store.Restored(); err != nil || found {
		t.Errorf("the mark of the restore is still there: %v", err)
	}
}

func digestOf(t *testing.T, h *fullHub) string {
	t.Helper()
	s, err := h.store.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signIn(t *testing.T, h *fullHub) *http.Cookie {
	t.Helper()
	r, err := http.Post("http://"+h.c.Listeners.HTTP.Addr().String()+"/api/v1/sessions", "application/json",
		strings.NewReader(`{"username":"mila","password":"correct horse battery"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if len(r.Cookies()) == 0 {
		t.Fatalf("sign in: %s", r.Status)
	}
	return r.Cookies()[0]
}

func asSession(h *fullHub, c *http.Cookie) int {
	h.T.Helper()
	req, err := http.NewRequestWithContext(h.T.Context(), http.MethodGet, "http://"+h.c.Listeners.HTTP.Addr().String()+"/api/v1/system", nil)
	if err != nil {
		h.T.Fatal(err)
	}
	req.AddCookie(c)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		h.T.Fatal(err)
	}
	defer r.Body.Close()
	return r.StatusCode
}
