package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

func TestBackup_FromTheCommandLineAndBack(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	data := at("data")
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"key": key.String(), "phrase": "wind and waves\n"} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustNot(t, 1, "no hub answers", "healthcheck", "--data", data)
	stop := serveHub(t, data, "--backup-recipient", key.Recipient().String())
	must(t, "device", "add", "--data", data, "--id", "btn-001", "--type", "button", "--room", "cabin-101", "--generate-password")
	if out := must(t, "healthcheck", "--data", data); !strings.HasPrefix(out, "ok: ") {
		t.Errorf("healthcheck: %s", out)
	}
	mustNot(t, 2, "--recipient, --passphrase-file or --plain", "backup", "--data", data, at("b"))
	must(t, "backup", "--data", data, at("b.age"), "--recipient", key.Recipient().String())
	must(t, "backup", "--data", data, at("b.phrase"), "--passphrase-file", at("phrase"))
	piped := must(t, "backup", "--data", data, "-", "--plain")
	var kept madeBackup
	if err := json.Unmarshal([]byte(must(t, "backup", "--data", data, "--keep", "--json")), &kept); err != nil || !kept.Encrypted {
		t.Errorf("kept: %+v, %v", kept, err)
	}
	mustNot(t, 1, "a hub runs", "verify", "--data", data)
	mustNot(t, 1, "a hub runs", "restore", at("b.age"), "--data", data, "--identity", at("key"), "--replace")
	must(t, "support", "--data", data, at("support.zip"))
	stop()

	must(t, "verify", "--data", data)
	must(t, "backup", "--data", data, at("b.offline"), "--plain")
	mustNot(t, 1, "no hub answers", "backup", "--data", data, at("b.traffic"), "--plain", "--with-traffic")
	must(t, "verify", at("b.offline"))
	must(t, "verify", at("b.age"), "--identity", at("key"))
	must(t, "verify", kept.File, "--identity", at("key"))
	mustNot(t, 1, "key does not open", "verify", at("b.age"))
	mustNot(t, 1, "key does not open", "verify", at("b.age"), "--passphrase-file", at("phrase"))
	mustNot(t, 1, "--replace", "restore", at("b.age"), "--data", data, "--identity", at("key"))
	must(t, "restore", at("b.age"), "--data", data, "--identity", at("key"), "--replace")
	must(t, "restore", at("b.phrase"), "--data", at("other"), "--passphrase-file", at("phrase"))
	if code, _, complaint := run(t, piped, "restore", "-", "--data", at("third")); code != 0 {
		t.Errorf("restore from standard input: %s", complaint)
	}
	for _, d := range []string{data, at("other"), at("third")} {
		if out := must(t, "device", "list", "--data", d); !strings.Contains(out, "btn-001") {
			t.Errorf("devices of %s: %s", d, out)
		}
		must(t, "verify", "--data", d)
	}
	manifest := filepath.Join(at("third"), "hub.db")
	found, err := filepath.Glob(filepath.Join(manifest, "MANIFEST-*"))
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	for _, f := range found {
		if err := os.Truncate(f, 0); err != nil {
			t.Fatal(err)
		}
	}
	code, out, _ := run(t, "", "verify", "--data", at("third"), "--json")
	var v verified
	if err := json.Unmarshal([]byte(out), &v); code != 1 || err != nil || v.OK || len(v.Stores[0].Findings) == 0 {
		t.Errorf("verify of a damaged store: %d, %s", code, out)
	}
}
