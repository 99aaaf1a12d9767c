package flotilla

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Report is what a run has found.
type Report struct {
	Sites    int `json:"sites"`
	Devices  int `json:"devices_per_site"`
	Offline  int `json:"sites_offline"`
	Late     int `json:"sites_late"`
	Refused  int `json:"sites_refused"`
	Enrolled int `json:"enrolled"`
	EnrolMS  int `json:"enrol_ms"`
	// Connect is from the start of the hubs until the state of each was
	// acknowledged, Reconnect the same from the cut of all links.
	Connect   *Phase `json:"connect,omitempty"`
	Reconnect *Phase `json:"reconnect,omitempty"`
	// Total is of the whole run.
	Total         Traffic          `json:"total"`
	Errors        map[string]int64 `json:"errors,omitempty"`
	ResidentBytes int64            `json:"resident_bytes"`
}

// Phase is how the hubs came into contact.
type Phase struct {
	Sites int `json:"sites"`
	Fresh int `json:"fresh"`
	// AllMS is until the last one, the others are quantiles of their times.
	AllMS         int64   `json:"all_ms"`
	P50MS         int64   `json:"p50_ms"`
	P99MS         int64   `json:"p99_ms"`
	SnapshotBytes int     `json:"snapshot_bytes,omitempty"`
	Traffic       Traffic `json:"traffic"`
}

// Traffic is what the hubs have done.
type Traffic struct {
	Handshakes int64 `json:"tls_handshakes"`
	Retries    int64 `json:"retries"`
	Waits      int64 `json:"told_to_wait"`
	Errors     int64 `json:"errors"`
	Epochs     int64 `json:"new_epochs"`
	Pushes     int64 `json:"pushes"`
	Pulls      int64 `json:"pulls"`
	Records    int64 `json:"records"`
	States     int64 `json:"states"`
	Hours      int64 `json:"traffic_hours"`
	Rejected   int64 `json:"rejected"`
	Orders     int64 `json:"orders"`
	BytesUp    int64 `json:"bytes_up"`
	BytesDown  int64 `json:"bytes_down"`
}

// counters count as the hubs go.
type counters struct {
	enrolled, handshakes, retries, waits, errors, epochs, pushes, pulls, records, states, hours, rejected, orders, up, down atomic.Int64
}

func (c *counters) read() Traffic {
	return Traffic{
		Handshakes: c.handshakes.Load(), Retries: c.retries.Load(), Waits: c.waits.Load(), Errors: c.errors.Load(), Epochs: c.epochs.Load(),
		Pushes: c.pushes.Load(), Pulls: c.pulls.Load(), Records: c.records.Load(), States: c.states.Load(), Hours: c.hours.Load(),
		Rejected: c.rejected.Load(), Orders: c.orders.Load(), BytesUp: c.up.Load(), BytesDown: c.down.Load(),
	}
}

func (t Traffic) since(o Traffic) Traffic {
	return Traffic{
		t.Handshakes - o.Handshakes, t.Retries - o.Retries, t.Waits - o.Waits, t.Errors - o.Errors, t.Epochs - o.Epochs, t.Pushes - o.Pushes,
		t.Pulls - o.Pulls, t.Records - o.Records, t.States - o.States, t.Hours - o.Hours, t.Rejected - o.Rejected, t.Orders - o.Orders,
		t.BytesUp - o.BytesUp, t.BytesDown - o.BytesDown,
	}
}

// phase waits until the state of all hubs is acknowledged.
type phase struct {
	began  time.Time
	before Traffic
	done   chan struct{}

	mu   sync.Mutex // guards what follows
	all  int
	open int
	took []time.Duration
}

func newPhase(hubs int, before Traffic) *phase {
	p := &phase{began: time.Now(), before: before, done: make(chan struct{}), all: hubs, open: hubs}
	if hubs == 0 {
		close(p.done)
	}
	return p
}

// fresh says that the state of a hub is acknowledged.
func (p *phase) fresh() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = append(p.took, time.Since(p.began))
	p.ended()
}

// given says that a hub will not come.
func (p *phase) given() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended()
}

func (p *phase) ended() {
	if p.open--; p.open == 0 {
		close(p.done)
	}
}

// missing is how many hubs have not come yet.
func (p *phase) missing() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

func (p *phase) read(now Traffic) *Phase {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.took)
	r := &Phase{Sites: p.all, Fresh: len(p.took), Traffic: now.since(p.before)}
	if n := len(p.took); n > 0 {
		r.AllMS, r.P50MS, r.P99MS = p.took[n-1].Milliseconds(), p.took[n/2].Milliseconds(), p.took[n*99/100].Milliseconds()
	}
	return r
}

// resident is the memory that this process holds; 0 where that is not known.
func resident() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(b, []byte("VmRSS:"))
	line, _, _ := strings.Cut(string(rest), "\n")
	kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(line), " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

func (p *Phase) String() string {
	return fmt.Sprintf("%d of %d with fresh state after %.1f s (p50 %.1f s, p99 %.1f s)", p.Fresh, p.Sites,
		float64(p.AllMS)/1000, float64(p.P50MS)/1000, float64(p.P99MS)/1000)
}
