// Package relaytest runs a server that speaks Redis' protocol, from the
// system's packages, for tests.
package relaytest

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Server is one that a test may stop and start.
type Server struct {
	// URL is its address.
	URL string

	t    testing.TB
	dir  string
	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts a server on a socket of its own, until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, dir: dir, URL: "unix://" + filepath.Join(dir, "redis.sock")}
	t.Cleanup(func() {
		s.Stop()
		os.RemoveAll(dir)
	})
	s.Start()
	return s
}

// Start starts it again after Stop.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.CommandContext(context.Background(), "redis-server", "--port", "0", "--unixsocket", filepath.Join(s.dir, "redis.sock"),
		"--save", "", "--appendonly", "no", "--dir", s.dir)
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		s.t.Fatalf("start Redis (Debian's package redis-server): %v", err)
	}
	lines := bufio.NewScanner(out)
	var said strings.Builder
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		// Version 6 names the socket, 7 the way.
		if strings.Contains(lines.Text(), "now ready to accept connections") || strings.Contains(lines.Text(), "Ready to accept connections") {
			s.done = make(chan struct{})
			go func() {
				defer close(s.done)
				_, _ = io.Copy(io.Discard, out)
			}()
			return
		}
	}
	_ = s.cmd.Wait()
	s.t.Fatalf("Redis has not started: %s", said.String())
}

// Stop kills the server.
func (s *Server) Stop() {
	if s.cmd == nil || s.cmd.Process == nil || s.done == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.done
	_ = s.cmd.Wait()
	s.cmd, s.done = nil, nil
}
