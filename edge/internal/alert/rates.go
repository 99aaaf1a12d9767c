package alert

import (
	"sync"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// The windows of what is counted.
const (
	pressWindow = time.Minute
	badWindow   = 10 * time.Minute
)

// rates counts what happens too often. All methods may be called from any
// goroutine.
type rates struct {
	mu sync.Mutex // guards all below
	// pressed are the presses of the window that runs and of the one before.
	pressed, pressedBefore map[fleet.DeviceID]int
	pressFrom              time.Duration
	// badAt are the counters at the begin of the window; badBefore what came in
	// the one before.
	badAt, badBefore map[string]uint64
	badFrom          time.Duration
}

func newRates() *rates {
	return &rates{pressed: map[fleet.DeviceID]int{}, pressedBefore: map[fleet.DeviceID]int{}}
}

func (r *rates) press(d fleet.DeviceID, up time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(up)
	r.pressed[d]++
}

// turn begins a new window of presses when it is time.
func (r *rates) turn(up time.Duration) {
	switch gone := up - r.pressFrom; {
	case gone < pressWindow:
		return
	case gone < 2*pressWindow:
		r.pressedBefore = r.pressed
	default:
		r.pressedBefore = map[fleet.DeviceID]int{}
	}
	r.pressed, r.pressFrom = map[fleet.DeviceID]int{}, up
}

// presses are the presses a minute of each button that was pressed lately.
func (r *rates) presses(up time.Duration) []Reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(up)
	out := []Reading{}
	seen := map[fleet.DeviceID]bool{}
	for _, m := range []map[fleet.DeviceID]int{r.pressed, r.pressedBefore} {
		for d := range m {
			if seen[d] {
				continue
			}
			seen[d] = true
			n := float64(max(r.pressed[d], r.pressedBefore[d]))
			out = append(out, Reading{Subject: string(d), Value: &n})
		}
	}
	return out
}

// bad are the unreadable payloads and fields of each device in ten minutes.
func (r *rates) bad(counters map[string]uint64, up time.Duration) []Reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.badAt == nil {
		r.badAt, r.badBefore, r.badFrom = map[string]uint64{}, map[string]uint64{}, up
	}
	if up-r.badFrom >= badWindow {
		r.badBefore = map[string]uint64{}
		for d, n := range counters {
			if more := n - min(r.badAt[d], n); more > 0 {
				r.badBefore[d] = more
			}
		}
		r.badAt, r.badFrom = counters, up
	}
	out := []Reading{}
	for d, n := range counters {
		v := float64(max(n-min(r.badAt[d], n), r.badBefore[d]))
		if v > 0 {
			out = append(out, Reading{Subject: d, Value: &v})
		}
	}
	return out
}
