package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/program"
)

// run runs the program, and returns its exit code and what it printed.
func run(t *testing.T, stdin string, args ...string) (code int, out, complaint string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = program.Main(t.Context(), program.Config{
		Name: "obedio-hub", EnvPrefix: "OBEDIO_HUB", CLI: &commands{},
		Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Signals: make(chan os.Signal),
	}, args)
	return code, stdout.String(), stderr.String()
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	code, out, complaint := run(t, "", args...)
	if code != 0 {
		t.Fatalf("%v: %d: %s", args, code, complaint)
	}
	return out
}

func mustNot(t *testing.T, wantCode int, want string, args ...string) {
	t.Helper()
	if code, _, complaint := run(t, "", args...); code != wantCode || !strings.Contains(complaint, want) {
		t.Errorf("%v: %d: %s, want %d and %q", args, code, complaint, wantCode, want)
	}
}

// serveHub runs a hub with no listener but its socket.
func serveHub(t *testing.T, data string, more ...string) (stop func()) {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready")
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var stderr bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- program.Main(ctx, program.Config{
			Name: "obedio-hub", EnvPrefix: "OBEDIO_HUB", CLI: &commands{}, Stdout: &stderr, Stderr: &stderr, Signals: make(chan os.Signal),
		}, append([]string{"serve", "--data", data, "--site", "yacht-1", "--mqtt", "", "--mqtts", "", "--mqtt-ws", "", "--http", "", "--https", "", "--ready-file", ready}, more...))
	}()
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		select {
		case code := <-done:
			t.Fatalf("serve: %d: %s", code, stderr.String())
		case <-tick.C:
		}
		if _, err := os.Stat(ready); err == nil {
			break
		}
	}
	return func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("serve: %d: %s", code, stderr.String())
		}
	}
}
