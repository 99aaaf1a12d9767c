package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The scenarios of the simulator against a real hub, in compressed time. Each
// has its own expectations, which the simulator checks and tells.
func TestScenario_MeetsItsExpectations(t *testing.T) {
	for _, name := range []string{"breakfast-rush", "blackout-storm", "replayed-sequence", "lost-receipts", "double-accept"} {
		t.Run(name, func(t *testing.T) {
			_, api, _ := startHub(t)
			token := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(token, []byte(api.token), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, filepath.Join(bin, "obedio-sim"), "run", name,
				"--hub", api.base, "--token-file", token, "--speed", "10", "--seed", "7")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			t.Logf("%s", tail(string(out), 12))
		})
	}
}
