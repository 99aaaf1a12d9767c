package console

import (
	"context"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// refusals keeps those who guess from filling the audit.
type refusals struct {
	mu      sync.Mutex // guards what follows
	hour    time.Time
	written int
	left    int // not written
}

// maxRefusals are in the audit in an hour; the next hour's first entry says how
// many were not.
const maxRefusals = 60

// take says whether one more is written now, and how many were not before it.
func (r *refusals) take(now time.Time) (left int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if hour := now.Truncate(time.Hour); !hour.Equal(r.hour) {
		r.hour, r.written = hour, 0
	}
	if r.written >= maxRefusals {
		r.left++
		return 0, false
	}
	r.written++
	left, r.left = r.left, 0
	return left, true
}

// signInRefused notes that somebody has shown a wrong password.
func (v *Console) signInRefused(username string, from netip.Addr) {
	left, ok := v.refusals.take(v.c.Now())
	if !ok {
		return
	}
	detail := map[string]string{}
	if username != "" {
		detail["username"] = username
	}
	if left > 0 {
		detail["not_written_before"] = strconv.Itoa(left)
	}
	target := "local"
	if from.IsValid() {
		target = from.Unmap().String()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := v.store.Audit(ctx, fleet.System("api"), "session.refused", target, detail); err != nil {
		v.log.Warn("refused sign-in not in the audit", "error", err)
	}
}
