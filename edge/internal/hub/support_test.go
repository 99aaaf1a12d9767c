package hub

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

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
	_, settings := h.Try("GET", "/api/v1/system/settings", nil, nil)
	if want := `"password-file":"/etc/obedio/passphrase"`; !strings.Contains(settings, want) || strings.Contains(settings, planted[4]) {
		t.Errorf("settings lack %s, or show a secret: %.300s", want, settings)
	}
}
