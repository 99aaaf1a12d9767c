package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the kernel, and the program itself, say of a running program. These
// tests are for Linux, as the hub is.

func (p *program) proc(file string) string {
	return filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), file)
}

// signal sends SIGSTOP or SIGCONT.
func (p *program) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// resident is the memory that the program holds, in bytes.
func (p *program) resident() int64 {
	p.t.Helper()
	b, err := os.ReadFile(p.proc("status"))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return kib << 10
		}
	}
	p.t.Fatalf("no VmRSS in %s", b)
	return 0
}

// cpu is the processor time that the program has used.
func (p *program) cpu() time.Duration {
	p.t.Helper()
	b, err := os.ReadFile(p.proc("stat"))
	if err != nil {
		p.t.Fatal(err)
	}
	// The name in parentheses may hold anything; fields are counted after it.
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	var ticks int64
	for _, i := range []int{14, 15} { // utime and stime of proc(5)
		n, err := strconv.ParseInt(f[i-3], 10, 64)
		if err != nil {
			p.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100 // fixed by the kernel for user space
}

// descriptors are the program's open files, and how many of them are sockets.
func (p *program) descriptors() (all, sockets int) {
	p.t.Helper()
	entries, err := os.ReadDir(p.proc("fd"))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		to, err := os.Readlink(p.proc(filepath.Join("fd", e.Name())))
		if err != nil {
			continue // closed meanwhile
		}
		all++
		if strings.HasPrefix(to, "socket:") {
			sockets++
		}
	}
	return all, sockets
}

// goroutines asks the hub's local socket.
func goroutines(t *testing.T, data string) int {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(data, "hub.sock"))
	}}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://hub/debug/pprof/goroutine?debug=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	var n int
	if _, scan := fmt.Sscanf(line, "goroutine profile: total %d", &n); err != nil || scan != nil {
		t.Fatalf("goroutine profile: %v in %q", err, line)
	}
	return n
}

// percentile of durations; 0 of none.
func percentile(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*p))]
}

const mib = 1 << 20

// bounded fails when memory has grown by more than most bytes; it is the
// hub's own limits that must hold it, so most is far below what was sent.
func bounded(t *testing.T, what string, before, after, most int64) {
	t.Helper()
	t.Logf("%s: resident %d MiB before, %d MiB after, bound of the growth %d MiB", what, before/mib, after/mib, most/mib)
	if after-before > most {
		t.Errorf("%s: memory grew by %d MiB", what, (after-before)/mib)
	}
}
