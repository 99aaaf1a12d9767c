package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// synthetic is obedio-sim fleet, running.
type synthetic struct {
	t      *testing.T
	cmd    *exec.Cmd
	log    *logBuffer
	report string
}

// startSynthetic starts a fleet and waits until all of it is in contact.
func startSynthetic(t *testing.T, args ...string) *synthetic {
	t.Helper()
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready.json")
	f := &synthetic{t: t, log: &logBuffer{}, report: filepath.Join(dir, "report.json")}
	f.cmd = exec.Command(filepath.Join(bin, "obedio-sim"), append([]string{
		"fleet", "--spread", "300ms", "--ready-file", ready, "--report", f.report,
	}, args...)...)
	f.cmd.Stdout, f.cmd.Stderr = f.log, f.log
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if f.cmd.ProcessState == nil {
			_ = f.cmd.Process.Kill()
			_ = f.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("log of the fleet:\n%s", tail(f.log.String(), 40))
		}
	})
	waitFor(t, 60*time.Second, "the fleet to be in contact", func() bool {
		b, err := os.ReadFile(ready)
		return err == nil && len(b) > 0
	})
	return f
}

type fleetReport struct {
	Enrolled int
	Connect  struct{ Fresh int }
	Total    struct {
		Rejected  int
		Errors    int
		NewEpochs int `json:"new_epochs"`
	}
}

// stop ends the fleet in order, and returns its report.
func (f *synthetic) stop() (r fleetReport) {
	f.t.Helper()
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		f.t.Fatal(err)
	}
	if err := f.cmd.Wait(); err != nil {
		f.t.Fatalf("the fleet: %v", err)
	}
	b, err := os.ReadFile(f.report)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// Synthetic hubs are hubs for the console: they enrol, are online, have devices,
// and do what they are ordered; and they are the same ones in the next run.
func TestFleet_TwentySyntheticHubsAreOnlineAndObey(t *testing.T) {
	t.Parallel()
	console, shore, _ := startConsole(t)
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(shore.token), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"--sites", "20", "--devices-per-site", "25", "--lost", "10%", "--rate", "6000", "--state", filepath.Join(dir, "state"),
		"--console", "http://" + console.Listeners["http"], "--token-file", token,
	}
	f := startSynthetic(t, args...)
	type site struct {
		ID     string `json:"site_id"`
		Link   string `json:"link_state"`
		Counts struct{ Devices, Ready, Lost int }
		Dead   int `json:"dead_letters"`
	}
	online := func() (ids []string) {
		t.Helper()
		waitFor(t, 30*time.Second, "the console to show them all", func() bool {
			ids = nil
			lost := 0
			for _, s := range list[site](shore, "/api/v1/sites") {
				if s.Link == "online" && s.Counts.Devices == 25 && s.Counts.Ready > 0 && s.Dead == 0 {
					ids = append(ids, s.ID)
				}
				lost += s.Counts.Lost
			}
			return len(ids) == 20 && lost > 0
		})
		return ids
	}
	ids := online()
	obeys := func(site string) {
		t.Helper()
		var ready string
		for _, d := range list[struct {
			ID       string `json:"device_id"`
			Presence struct{ State string }
		}](shore, "/api/v1/sites/"+site+"/devices") {
			if d.Presence.State == "ready" {
				ready = d.ID
			}
		}
		var c commandView
		shore.call(http.MethodPost, "/api/v1/sites/"+site+"/devices/"+ready+"/command", map[string]any{"name": "locate", "ttl_ms": 60000}, &c)
		waitFor(t, 30*time.Second, "the command to succeed", func() bool {
			for _, v := range list[commandView](shore, "/api/v1/sites/"+site+"/commands") {
				if v.ID == c.ID {
					return v.State == "succeeded"
				}
			}
			return false
		})
	}
	obeys(ids[0])
	waitFor(t, 30*time.Second, "guests to call", func() bool {
		return len(list[requestView](shore, "/api/v1/sites/"+ids[1]+"/requests")) > 0
	})
	if r := f.stop(); r.Enrolled != 20 || r.Connect.Fresh != 20 || r.Total.Rejected > 0 || r.Total.Errors > 0 || r.Total.NewEpochs > 0 {
		t.Errorf("first run: %+v", r)
	}

	f = startSynthetic(t, args...)
	obeys(online()[0])
	if r := f.stop(); r.Enrolled != 0 || r.Connect.Fresh != 20 || r.Total.Rejected > 0 || r.Total.Errors > 0 || r.Total.NewEpochs > 0 {
		t.Errorf("second run: %+v", r)
	}

	// The same with a claim file, and all links cut meanwhile.
	claim := filepath.Join(dir, "claim")
	cli(t, "", "obedio-console", "site", "add", "yacht-1", "--data", console.args[2], "--json")
	if err := os.WriteFile(claim, []byte(cli(t, "", "obedio-console", "site", "claim", "yacht-1", "--data", console.args[2])), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "obedio-sim"), "fleet", "--claims", claim, "--reconnect", "--json",
		"--spread", "100ms", "--log-level", "warn").Output()
	var r struct{ Reconnect struct{ Fresh int } }
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil || r.Reconnect.Fresh != 1 {
		t.Errorf("by claim: %v, %s", err, out)
	}
}
