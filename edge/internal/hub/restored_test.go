package hub

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	paho "github.com/eclipse/paho.golang/paho"

	"github.com/obedio/obedio/edge/internal/backup"
	"github.com/obedio/obedio/edge/internal/store"
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
	h.Call("POST", "/api/v1/backups", map[string]any{"plain": true}, &made)
	before, digest := h.identity, digestOf(t, h)
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
	if topic := <-got; !strings.HasSuffix(topic, "/cmd/ping") {
		t.Errorf("the device got %s", topic)
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

// A write fails under a whole hub: presses are not acknowledged any more, and
// the hub ends with the error, so that its supervisor starts it again.
func TestF6_HubEndsWithTheDiskErrorAndAcknowledgesNothingAfterIt(t *testing.T) {
	var broken atomic.Bool
	disk := vfs.NewCrashableMem()
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			if broken.Load() {
				return errorfs.ErrInjected
			}
		}
		return nil
	}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(t.Context(), Config{Data: "data", Site: "yacht-1", Listeners: Listeners{MQTT: l}, FS: fs, StopWithin: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- h.Run(context.WithoutCancel(t.Context())) }()
	<-h.Ready()
	f := newFull(t, h)
	f.addDevice("btn-001")
	f.connect()
	if code := f.press(1); code != 0 {
		t.Fatalf("press: %#x", code)
	}
	broken.Store(true)
	r, err := f.button.Publish(t.Context(), pressOf(2))
	if err == nil && r.ReasonCode == 0 {
		t.Error("a press was acknowledged after the disk error")
	}
	if err := <-done; !errors.Is(err, errorfs.ErrInjected) {
		t.Errorf("the hub ended with %v", err)
	}
	s, err := store.Open(store.Config{Dir: "data", FS: disk.CrashClone(vfs.CrashCloneCfg{})})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if presses, err := s.PressesOf("btn-001"); err != nil || len(presses) != 1 {
		t.Errorf("%d presses, %v", len(presses), err)
	}
}

// Secrets and names are planted wherever a bundle could take them from.
func TestSupport_HasNoSecretsAndNoNames(t *testing.T) {
	planted := []string{"PlantedPassword1", "PlantedToken2", "PlantedKey3", "planted-person", "PlantedSetting5"}
	h := startFull(t, smallDisk{dir: t.TempDir()})
	h.Call("POST", "/api/v1/setup/local", map[string]any{"username": planted[3], "password": planted[0] + "-long-enough"}, nil)
	h.Call("POST", "/api/v1/devices", map[string]any{
		"device_id": "btn-001", "type": "button", "room": "cabin-101", "password": planted[0] + "-of-a-device", "name": "Button of planted-person",
	}, nil)
	h.log.Info("signed in", "username", planted[3], "password", planted[0], "detail", "Authorization: Bearer "+planted[1])
	h.log.With("token", planted[1]).WithGroup("tls").Warn("key not read", "private_key", planted[2], "error",
		errors.New("cannot dial https://"+planted[3]+":"+planted[2]+"@console.example"))
	h.c.Logger.Info("settings", "raw", `{"passphrase": "`+planted[4]+`"}`)

	code, body := h.Try("GET", "/api/v1/system/support", nil, nil)
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	z, err := zip.NewReader(bytes.NewReader([]byte(body)), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		parts[f.Name] = string(b)
		for _, secret := range planted {
			if i := strings.Index(string(b), secret); i >= 0 {
				t.Errorf("%s shows %q: …%s…", f.Name, secret, b[max(0, i-60):min(len(b), i+60)])
			}
		}
	}
	for name, want := range map[string]string{
		"version.json": `"go":`, "settings.json": `"password-file": "/etc/obedio/passphrase"`, "system.json": `"level": "ok"`, "sync.json": `"digest"`,
		"metrics.txt": "obedio_hub_disk_free_bytes", "log.txt": "signed in", "goroutines.txt": "goroutine profile", "store.txt": "WAL", "denials.json": "[",
	} {
		if !strings.Contains(parts[name], want) {
			t.Errorf("%s lacks %q: %.300s", name, want, parts[name])
		}
	}
}
