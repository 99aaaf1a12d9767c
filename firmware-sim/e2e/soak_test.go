package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// loadReport is what obedio-sim load prints that is asked for here.
type loadReport struct {
	Sent, Lost        int64
	Failed            int     `json:"failed_connections"`
	Broken            int     `json:"broken_connections"`
	MessagesPerSecond float64 `json:"messages_per_second"`
	PUBACK            struct {
		P99 int64 `json:"p99_us"`
	} `json:"puback_latency"`
	Watched struct {
		Resident    int64   `json:"resident_bytes"`
		ResidentMax int64   `json:"resident_max_bytes"`
		Growth      float64 `json:"resident_growth"`
		CPU         float64 `json:"cpu_us_per_message"`
	}
}

// load runs obedio-sim load against the hub.
func load(t *testing.T, hub *program, api *api, d time.Duration, more ...string) (r loadReport) {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(api.token), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d+3*time.Minute)
	defer cancel()
	args := append([]string{"load", "--hub", api.base, "--mqtt", hub.Listeners["mqtt"], "--token-file", token, "--json",
		"--duration", d.String(), "--watch", strconv.Itoa(hub.cmd.Process.Pid)}, more...)
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "obedio-sim"), args...).Output()
	if err != nil {
		t.Fatalf("obedio-sim load: %v\n%s", err, out)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("obedio-sim load: %v in %s", err, out)
	}
	return r
}

// F19: after hours of load nothing is left behind. OBEDIO_SOAK says how long;
// the default keeps the suite short.
func TestF19_SoakLeavesNoGoroutineAndNoDescriptorBehind(t *testing.T) {
	soak := 20 * time.Second
	if v := os.Getenv("OBEDIO_SOAK"); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			t.Fatalf("OBEDIO_SOAK %q: want a duration such as 2h", v)
		}
		soak = d
	}
	hub, api, data := startHub(t)
	moderate := []string{"--clients", "100", "--rate", "5", "--action", "mixed"}
	load(t, hub, api, 2*time.Second, moderate...) // what is opened once is open
	// rest waits until the hub is at rest, and says what it holds.
	rest := func() (routines, sockets, all int) {
		t.Helper()
		waitFor(t, 60*time.Second, "the clients to be gone", func() bool { return api.counters().Connected == 0 })
		var last [2]int
		same := 0
		waitFor(t, 60*time.Second, "the hub to be at rest", func() bool {
			all, sockets = hub.descriptors()
			routines = goroutines(t, data)
			if now := [2]int{routines, sockets}; now == last {
				same++
			} else {
				last, same = now, 0
			}
			return same >= 25 // half a second
		})
		return routines, sockets, all
	}
	routines, sockets, all := rest()
	before := hub.resident()
	r := load(t, hub, api, soak, moderate...)
	afterRoutines, afterSockets, afterAll := rest()
	t.Logf("%s: %d messages, %.0f a second, %d lost, PUBACK p99 %s, %.0f µs of CPU a message", soak, r.Sent, r.MessagesPerSecond, r.Lost,
		time.Duration(r.PUBACK.P99)*time.Microsecond, r.Watched.CPU)
	t.Logf("goroutines %d before, %d after; sockets %d, %d; descriptors %d, %d", routines, afterRoutines, sockets, afterSockets, all, afterAll)
	t.Logf("resident %d MiB before, %d MiB after, %d MiB at most; at the end %.3f of what it was after a fifth",
		before/mib, hub.resident()/mib, r.Watched.ResidentMax/mib, r.Watched.Growth)
	if r.Lost > 0 || r.Failed > 0 || r.Broken > 0 {
		t.Errorf("lost %d, failed %d, broken %d", r.Lost, r.Failed, r.Broken)
	}
	if afterRoutines > routines || afterSockets > sockets {
		t.Errorf("left behind: %d goroutines, %d sockets", afterRoutines-routines, afterSockets-sockets)
	}
	// A fifth of ten minutes is when caches and tables have their size.
	if soak >= 10*time.Minute && r.Watched.Growth > 1.05 {
		t.Errorf("resident memory grew to %.3f of what it was", r.Watched.Growth)
	}
	// The store opens and closes its tables as it goes; there are few.
	if afterAll-afterSockets > all-sockets+16 {
		t.Errorf("files: %d before, %d after", all-sockets, afterAll-afterSockets)
	}
}
