// Package pgtest gives tests a database that speaks PostgreSQL's protocol: that
// of OBEDIO_TEST_POSTGRES, or a server that is started from the system's
// packages and goes with the tests. It is for tests only.
package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Variable names the URL of a server that is there already; its user must be
// allowed to make schemas.
const Variable = "OBEDIO_TEST_POSTGRES"

// server is the one that this process has started.
var server = struct {
	sync.Mutex
	url  string
	stop func()
}{}

var schemas atomic.Int64

// Main runs the tests of a package and stops the server that they have used:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
func Main(m *testing.M) int {
	defer func() {
		server.Lock()
		defer server.Unlock()
		if server.stop != nil {
			server.stop()
		}
	}()
	return m.Run()
}

// URL returns the address of an empty schema, which goes with the test.
func URL(t testing.TB) string {
	t.Helper()
	base := serverURL(t)
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), schemas.Add(1))
	run := func(sql string) {
		t.Helper()
		ctx := context.WithoutCancel(t.Context())
		c, err := pgx.Connect(ctx, base)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Exec(ctx, sql)
		if err := errors.Join(err, c.Close(ctx)); err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE SCHEMA " + name)
	t.Cleanup(func() { run("DROP SCHEMA " + name + " CASCADE") })
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

func serverURL(t testing.TB) string {
	t.Helper()
	if v := os.Getenv(Variable); v != "" {
		return v
	}
	server.Lock()
	defer server.Unlock()
	if server.url == "" {
		var err error
		if server.url, server.stop, err = start(); err != nil {
			t.Fatalf("start PostgreSQL (Debian's package postgresql, or set %s): %v", Variable, err)
		}
	}
	return server.url
}

// Program finds a program of PostgreSQL's, which Debian keeps away from PATH.
func Program(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(all) == 0 {
		return "", fmt.Errorf("%s was not found", name)
	}
	return slices.MaxFunc(all, func(a, b string) int { return major(a) - major(b) }), nil
}

func major(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

// start makes a cluster in a new directory and serves it on a socket there.
// Nothing is synced: it does not outlive the tests.
func start() (addr string, stop func(), err error) {
	initdb, err := Program("initdb")
	if err != nil {
		return "", nil, err
	}
	postgres, err := Program("postgres")
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() == 0 { // the server refuses to run as root
		if attr.Credential, err = other(); err != nil {
			return "", nil, err
		}
		if err := os.Chown(dir, int(attr.Credential.Uid), int(attr.Credential.Gid)); err != nil {
			return "", nil, err
		}
	}
	data := filepath.Join(dir, "data")
	command := func(name string, args ...string) *exec.Cmd {
		c := exec.CommandContext(context.Background(), name, args...)
		c.Dir, c.SysProcAttr, c.Env = dir, attr, append(os.Environ(), "LC_ALL=C")
		return c
	}
	if out, err := command(initdb, "-D", data, "-U", "obedio", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	c := command(postgres, "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "synchronous_commit=off",
		"-c", "full_page_writes=off", "-c", "max_connections=300", "-c", "shared_buffers=64MB")
	log, err := c.StderrPipe()
	if err != nil {
		return "", nil, err
	}
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		// The signal of the parent's death is that of the thread that started it.
		runtime.LockOSThread()
		started <- c.Start()
		<-ended
	}()
	if err := <-started; err != nil {
		close(ended)
		return "", nil, err
	}
	stop = func() {
		_ = c.Process.Signal(syscall.SIGINT) // fast: sessions are ended
		_ = c.Wait()
		close(ended)
		os.RemoveAll(dir)
	}
	lines := bufio.NewScanner(log)
	var said strings.Builder
	for lines.Scan() {
		if said.WriteString(lines.Text() + "\n"); strings.Contains(lines.Text(), "ready to accept connections") {
			go io.Copy(io.Discard, log) //nolint:errcheck // nobody reads it
			return "postgres://obedio@/postgres?host=" + url.QueryEscape(dir), stop, nil
		}
	}
	stop()
	return "", nil, errors.New("postgres: " + said.String())
}

// other is a user that may run the server.
func other() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("there is no user postgres or nobody")
}
