package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExportMosquitto_FilesAreTheOwnersOnlyAlsoWhereTheyWereNot(t *testing.T) {
	dir := t.TempDir()
	passwd, dynsec := filepath.Join(dir, "passwd"), filepath.Join(dir, "dynsec.json")
	if err := os.WriteFile(passwd, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	stop := serveHub(t, data)
	defer stop()
	must(t, "device", "add", "--data", data, "--id", "btn-001", "--type", "button", "--room", "cabin-101", "--generate-password")
	must(t, "export", "mosquitto", "--data", data, "--passwd", passwd, "--dynsec", dynsec)
	for name, want := range map[string]string{passwd: "btn-001:$7$", dynsec: `"btn-001"`} {
		b, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: %s, %v", name, b, err)
		}
		if i, err := os.Stat(name); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", name, i.Mode(), err)
		}
	}
}
