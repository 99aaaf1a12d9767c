package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The scenarios of the simulator against a real hub, in compressed time: the
// devices live ten times as fast, and the hub's own delays are shortened as
// far. Each has its own expectations, which the simulator checks and tells; that
// each of them fails when the product is broken is tested beside the checks, in
// firmware-sim/internal/scenario.
func TestScenario_MeetsItsExpectations(t *testing.T) {
	var all []struct {
		Name    string
		Endless bool
	}
	if err := json.Unmarshal([]byte(cli(t, "", "obedio-sim", "list", "--json")), &all); err != nil {
		t.Fatal(err)
	}
	quick := quickly(t)
	for _, s := range all {
		if s.Endless {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			_, api, _ := startHub(t, quick...)
			token := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(token, []byte(api.token), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			report := filepath.Join(t.TempDir(), "report.json")
			cmd := exec.CommandContext(ctx, filepath.Join(bin, "obedio-sim"), "run", s.Name,
				"--hub", api.base, "--token-file", token, "--speed", "10", "--seed", "7", "--report", report)
			out, err := cmd.CombinedOutput()
			if err != nil && !onlyWaiting(t, api, report) {
				t.Errorf("%v\n%s", err, out)
			}
			t.Logf("%s", tail(string(out), 14))
		})
	}
}

// quickly are the settings that shorten the hub's delays, as far as this hub has
// them.
func quickly(t *testing.T) []string {
	t.Helper()
	args := []string{"--presence-sweep", "500ms"}
	help := cli(t, "", "obedio-hub", "serve", "--help")
	if strings.Contains(help, "--escalation-hurry") {
		args = append(args, "--escalation-hurry", "10")
	}
	if strings.Contains(help, "--alert-set") {
		args = append(args, "--alert-every", "500ms")
		for _, kind := range []string{
			"device_lost", "repeater_down", "battery_low", "watch_deaf", "nobody_reachable", "button_stuck",
		} {
			args = append(args, "--alert-set", kind+".on=2s")
		}
	}
	return args
}

// onlyWaiting reports whether a run failed by nothing but expectations of what
// this hub does not have at all: alerts; and levels of escalation, with whom they
// were told.
func onlyWaiting(t *testing.T, api *api, report string) bool {
	t.Helper()
	var r struct {
		Checks []struct {
			Check    string
			OK       bool
			Line     int
			Failures []struct{ Expected string }
		}
	}
	b, err := os.ReadFile(report)
	if err != nil || json.Unmarshal(b, &r) != nil || len(r.Checks) == 0 {
		return false
	}
	lacks := func(path string) bool {
		resp, _ := api.do(http.MethodGet, path, nil)
		return resp.StatusCode == http.StatusNotFound
	}
	noAlerts, noDuty := lacks("/api/v1/alerts"), lacks("/api/v1/duty")
	for _, c := range r.Checks {
		if c.OK {
			continue
		}
		for _, f := range c.Failures {
			switch {
			case c.Check == "alert" && noAlerts:
			case c.Check == "requests_reach" && noDuty &&
				(strings.Contains(f.Expected, "to come to level") || strings.Contains(f.Expected, "to say that it was told")):
			default:
				return false
			}
		}
		t.Logf("line %d: %s waits for what this hub does not have", c.Line, c.Check)
	}
	return true
}
