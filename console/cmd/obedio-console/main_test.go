package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/program"
)

// run runs a command in this process.
func run(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = program.Main(t.Context(), program.Config{
		Name: "obedio-console", EnvPrefix: "OBEDIO_CONSOLE", CLI: &commands{}, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
		Signals: make(chan os.Signal),
	}, args)
	return code, out.String(), errs.String()
}

func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	code, out, errs := run(t, stdin, args...)
	if code != 0 {
		t.Fatalf("%v: exit code %d: %s", args, code, errs)
	}
	return out
}

func TestCommands_WithoutARunningConsole(t *testing.T) {
	dir := t.TempDir()
	must(t, `{"username":"mila","password":"correct horse battery"}`, "setup", "--data", dir)
	if code, _, errs := run(t, `{"username":"other","password":"correct horse battery"}`, "setup", "--data", dir); code != 1 || strings.Count(errs, "\n") != 1 {
		t.Errorf("a second owner: %d %s", code, errs)
	}
	var site struct {
		ID string `json:"site_id"`
	}
	if err := json.Unmarshal([]byte(must(t, "", "site", "add", "yacht-1", "--data", dir, "--json")), &site); err != nil || site.ID != "yacht-1" {
		t.Errorf("site is %+v, %v", site, err)
	}
	if code, _, errs := run(t, "", "site", "claim", "yacht-1", "--data", dir); code != 1 || !strings.Contains(errs, "--hublink-url") {
		t.Errorf("a claim without an address: %d %s", code, errs)
	}
	out := must(t, "", "site", "claim", "yacht-1", "--data", dir, "--hublink-url", "https://console.example:8444")
	if c, err := identity.ParseClaim([]byte(out)); err != nil || c.URL != "https://console.example:8444" || c.Site != "yacht-1" {
		t.Errorf("claim is %+v, %v", c, err)
	}
	if out := must(t, "", "site", "list", "--data", dir); !strings.Contains(out, "yacht-1  never_connected") {
		t.Errorf("list is %s", out)
	}
	must(t, "", "site", "revoke", "yacht-1", "--data", dir)
	if out := must(t, "", "site", "show", "yacht-1", "--data", dir); !strings.Contains(out, "revoked since") {
		t.Errorf("show is %s", out)
	}
	if out := must(t, "", "audit", "list", "--data", dir, "--target", "yacht-1"); strings.Count(out, "\n") != 4 || !strings.Contains(out, "site.revoked") {
		t.Errorf("audit is %s", out)
	}
	if out := must(t, "", "audit", "verify", "--data", dir); !strings.Contains(out, ": 4 entries, head ") {
		t.Errorf("verify is %s", out)
	}
	if out := must(t, "", "audit", "verify", "--data", dir, "--site", "yacht-1", "--json"); !strings.Contains(out, `{"ok":true,"chains":[]}`) {
		t.Errorf("verify of a site is %s", out)
	}
	must(t, "", "audit", "export", "--data", dir, filepath.Join(dir, "audit.ndjson"))
	if b, err := os.ReadFile(filepath.Join(dir, "audit.ndjson")); err != nil || strings.Count(string(b), "\n") != 4 {
		t.Errorf("export is %s, %v", b, err)
	}
	if code, _, _ := run(t, "", "audit", "export", "--data", dir, filepath.Join(dir, "audit.ndjson")); code != 1 {
		t.Error("an export replaces a file")
	}
	var token struct{ ID, Token string }
	if err := json.Unmarshal([]byte(must(t, "", "token", "create", "--data", dir, "--name", "n", "--role", "viewer", "--scopes", "sites.read,devices.read", "--expires-in", "24h", "--json")), &token); err != nil || token.Token == "" {
		t.Errorf("token is %+v, %v", token, err)
	}
	must(t, "correct horse battery", "user", "add", "max", "--data", dir, "--role", "manager", "--sites", "yacht-1")
	must(t, "battery horse correct", "user", "reset", "mila", "--data", dir)
	if out := must(t, "", "user", "list", "--data", dir); !strings.Contains(out, "manager  yacht-1  active") || !strings.Contains(out, "owner") {
		t.Errorf("people are %s", out)
	}
	for _, args := range [][]string{{"site", "claim", "x", "--data", dir, "--hublink-url", "http://x"}, {"site", "add", "--data", dir}, {"serve", "--data", dir, "--tls-cert", "x"}} {
		if code, _, _ := run(t, "", args...); code != program.ExitUsage {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
	if out := must(t, "", "version", "--json"); !strings.Contains(out, "version") {
		t.Errorf("version is %s", out)
	}
}

func TestServe_TellsWhereItIsAndStopsClean(t *testing.T) {
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready.json")
	signals := make(chan os.Signal, 1)
	done := make(chan int, 1)
	var errs bytes.Buffer
	go func() {
		done <- program.Main(context.Background(), program.Config{
			Name: "obedio-console", EnvPrefix: "OBEDIO_CONSOLE", CLI: &commands{}, Stdin: strings.NewReader(""),
			Stdout: &bytes.Buffer{}, Stderr: &errs, Signals: signals,
		}, []string{"serve", "--data", dir, "--http", "127.0.0.1:0", "--hublink", ":0", "--metrics", "127.0.0.1:0", "--ready-file", ready, "--memtable-bytes", "2097152", "--cache-bytes", "8388608"})
	}()
	var r program.Ready
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(30 * time.Second); ; {
		if b, err := os.ReadFile(ready); err == nil && json.Unmarshal(b, &r) == nil {
			break
		}
		select {
		case code := <-done:
			t.Fatalf("serve ended with %d: %s", code, errs.String())
		case <-poll.C:
		}
		if time.Now().After(end) {
			t.Fatal("no ready file")
		}
	}
	for _, name := range []string{"http", "hublink", "metrics"} {
		if r.Listeners[name] == "" {
			t.Errorf("the ready file has no %s: %v", name, r.Listeners)
		}
	}
	for path, name := range map[string]string{"/readyz": "http", "/metrics": "metrics", "/": "http"} {
		resp, err := http.Get("http://" + r.Listeners[name] + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	must(t, "", "site", "add", "yacht-1", "--data", dir)
	c, err := identity.ParseClaim([]byte(must(t, "", "site", "claim", "yacht-1", "--data", dir)))
	if err != nil || !strings.HasSuffix(c.URL, r.Listeners["hublink"][strings.LastIndex(r.Listeners["hublink"], ":"):]) {
		t.Errorf("the claim names %s, %v; the hub link is %s", c.URL, err, r.Listeners["hublink"])
	}
	signals <- os.Interrupt
	if code := <-done; code != 0 {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	if _, err := os.Stat(ready); !os.IsNotExist(err) {
		t.Errorf("the ready file is left: %v", err)
	}
	// The address is known for claims that are made while it does not run.
	if again, err := identity.ParseClaim([]byte(must(t, "", "site", "claim", "yacht-1", "--data", dir))); err != nil || again.URL != c.URL {
		t.Errorf("afterwards the claim names %s, %v", again.URL, err)
	}
}
