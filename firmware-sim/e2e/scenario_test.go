package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
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
	for _, s := range all {
		if s.Endless {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			_, api, _ := startHub(t, quickly()...)
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
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			t.Logf("%s", tail(string(out), 14))
		})
	}
}

// quickly are the settings that shorten the hub's delays as far as the devices
// live faster.
func quickly() []string {
	args := []string{"--presence-sweep", "500ms", "--escalation-hurry", "10", "--alert-every", "500ms"}
	for _, kind := range []string{
		"device_lost", "repeater_down", "battery_low", "watch_deaf", "nobody_reachable", "button_stuck",
	} {
		args = append(args, "--alert-set", kind+".on=2s")
	}
	return args
}
