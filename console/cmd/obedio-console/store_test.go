package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/obedio/obedio/console/internal/store/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// Commands work on a database as they do on the embedded store; a second
// console's directory must have the fleet's keys.
func TestCommands_OnADatabase(t *testing.T) {
	dir, url := t.TempDir(), pgtest.URL(t)
	must(t, `{"username":"mila","password":"correct horse battery"}`, "setup", "--data", dir, "--store", url)
	must(t, "", "site", "add", "yacht-1", "--data", dir, "--store", url)
	if out := must(t, "", "site", "list", "--data", dir, "--store", url); !strings.Contains(out, "yacht-1") {
		t.Errorf("the site is not listed: %s", out)
	}
	must(t, "", "audit", "verify", "--data", dir, "--store", url)
	other := t.TempDir()
	if code, _, errs := run(t, "", "site", "list", "--data", other, "--store", url); code != 1 || !strings.Contains(errs, "copy the directory pki") {
		t.Errorf("a console without the fleet's keys: %d %s", code, errs)
	}
	files, err := os.ReadDir(filepath.Join(dir, "pki"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, "pki", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(other, "pki", f.Name()), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out := must(t, "", "site", "list", "--data", other, "--store", url); !strings.Contains(out, "yacht-1") {
		t.Errorf("the site is not listed: %s", out)
	}
}

// A store that was restored is told from what it was before.
func TestRestored_BeginsANewEpoch(t *testing.T) {
	for name, flags := range map[string][]string{"badger": nil, "postgres": {"--store", pgtest.URL(t)}} {
		t.Run(name, func(t *testing.T) {
			flags := append([]string{"--data", t.TempDir()}, flags...)
			must(t, "", append([]string{"site", "add", "yacht-1"}, flags...)...)
			var ids [2]struct {
				ConsoleID string `json:"console_id"`
				Epoch     string `json:"epoch"`
			}
			for i := range ids {
				out := must(t, "", append([]string{"restored", "--json"}, flags...)...)
				if err := json.Unmarshal([]byte(out), &ids[i]); err != nil {
					t.Fatal(err)
				}
			}
			if ids[0].ConsoleID != ids[1].ConsoleID || ids[0].Epoch == ids[1].Epoch || ids[0].Epoch == "" {
				t.Errorf("got %+v", ids)
			}
			must(t, "", append([]string{"audit", "verify"}, flags...)...)
			if out := must(t, "", append([]string{"audit", "list"}, flags...)...); strings.Count(out, "console.restored") != 2 {
				t.Errorf("the audit says %s", out)
			}
		})
	}
}
