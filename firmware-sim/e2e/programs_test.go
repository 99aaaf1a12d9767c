// Package e2e runs the real programs against each other, as their users do:
// hub, console and simulated devices, with faults. It has tests only.
//
// A test whose name begins with F and a number is that fault of the catalogue,
// and can be run alone: go test -tags nomsgpack -v -run TestF7 ./firmware-sim/e2e.
// The environment says more: OBEDIO_E2E_BIN names a directory with programs that
// are built already, OBEDIO_LONG=1 lets tests of load take the minutes that they
// are about, OBEDIO_SOAK=2h is how long F19 takes, OBEDIO_SEED repeats chance.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// bin is where the programs are: built with the race detector by TestMain, or
// what OBEDIO_E2E_BIN names.
var bin = os.Getenv("OBEDIO_E2E_BIN")

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if bin != "" {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "obedio-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		build := exec.Command("go", "build", "-race", "-tags", "nomsgpack", "-o", dir,
			"./edge/cmd/obedio-hub", "./console/cmd/obedio-console", "./firmware-sim/cmd/obedio-sim")
		build.Dir = filepath.Join("..", "..")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build the programs:", err)
			return 1
		}
		return m.Run()
	}())
}

// program is one running program.
type program struct {
	t         *testing.T
	name      string
	args      []string
	ready     string // ready file
	log       *logBuffer
	cmd       *exec.Cmd
	ended     chan struct{}
	Listeners map[string]string
}

// logBuffer is what a program has written; the program goes on writing.
type logBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start starts a program and waits until it is ready.
func start(t *testing.T, name, data string, args ...string) *program {
	t.Helper()
	p := &program{t: t, name: name, ready: filepath.Join(t.TempDir(), "ready.json")}
	p.args = append([]string{"serve", "--data", data, "--ready-file", p.ready, "--log-level", "info"}, args...)
	p.run()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("log of %s:\n%s", p.name, tail(p.log.String(), 40))
		}
	})
	return p
}

func (p *program) run() {
	p.t.Helper()
	_ = os.Remove(p.ready)
	if p.log == nil {
		p.log = &logBuffer{}
	}
	p.cmd = exec.Command(filepath.Join(bin, p.name), p.args...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(p.cmd, p.ended)
	waitFor(p.t, 30*time.Second, p.name+" to be ready", func() bool {
		b, err := os.ReadFile(p.ready)
		if err != nil {
			select {
			case <-p.ended:
				p.t.Fatalf("%s ended:\n%s", p.name, tail(p.log.String(), 20))
			default:
			}
			return false
		}
		var r struct {
			Listeners map[string]string `json:"listeners"`
		}
		if err := json.Unmarshal(b, &r); err != nil {
			p.t.Fatal(err)
		}
		p.Listeners = r.Listeners
		return true
	})
	p.pin()
}

// pin makes the next run listen where this one does.
func (p *program) pin() {
	for flag, name := range map[string]string{"--mqtt": "mqtt", "--mqtts": "mqtts", "--https": "https", "--mqtt-ws": "mqtt_ws", "--http": "http", "--hublink": "hublink"} {
		for i, a := range p.args {
			if a == flag {
				p.args[i+1] = p.Listeners[name]
			}
		}
	}
}

// kill is kill -9.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop ends the program as its users do; it must be gone within 5 seconds.
func (p *program) stop() {
	select {
	case <-p.ended:
		return
	default:
	}
	began := time.Now()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			p.t.Errorf("%s ended with code %d", p.name, code)
		}
		if took := time.Since(began); took > 6*time.Second {
			p.t.Errorf("%s took %s to stop", p.name, took)
		}
	case <-time.After(15 * time.Second):
		p.t.Errorf("%s does not stop", p.name)
		p.kill()
	}
}

// cli runs a command of a program and returns what it prints.
func cli(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, name), args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// waitFor waits for a condition, which is what a user would wait for too; the
// limit is generous, since a loaded machine is slow.
func waitFor(t *testing.T, most time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s for %s", most, what)
		case <-tick.C:
		}
	}
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// switchboard is a TCP relay that can be cut: the link between two programs.
type switchboard struct {
	t    *testing.T
	l    net.Listener
	to   string
	busy chan map[net.Conn]bool // holds the connections; nil while the link is cut
}

// relay relays to an address.
func relay(t *testing.T, to string) *switchboard {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &switchboard{t: t, l: l, to: to, busy: make(chan map[net.Conn]bool, 1)}
	s.busy <- map[net.Conn]bool{}
	go s.run()
	t.Cleanup(func() {
		_ = l.Close()
		s.set(true)
	})
	return s
}

func (s *switchboard) run() {
	for {
		in, err := s.l.Accept()
		if err != nil {
			return
		}
		conns := <-s.busy
		if conns == nil { // cut
			s.busy <- nil
			_ = in.Close()
			continue
		}
		out, err := net.Dial("tcp", s.to)
		if err != nil {
			s.busy <- conns
			_ = in.Close()
			continue
		}
		conns[in], conns[out] = true, true
		s.busy <- conns
		for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
			}()
		}
	}
}

// set cuts the link, or mends it.
func (s *switchboard) set(cut bool) {
	conns := <-s.busy
	for c := range conns {
		_ = c.Close()
	}
	if cut {
		s.busy <- nil
	} else {
		s.busy <- map[net.Conn]bool{}
	}
}
