package link

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Defaults of a direction.
const (
	defaultQueue = 64 << 10
	// least is the shortest time after which a sender takes a segment for lost.
	least = 200 * time.Millisecond
	// mostLosses of one segment; what comes after is not worth waiting for.
	mostLosses = 8
)

// modem is the sending end of one direction, for all connections together.
type modem struct {
	// turn holds one token: who has it sends next. Those who wait for it get it in
	// their order, so connections take turns when the queue is full.
	turn chan struct{}

	mu   sync.Mutex // guards free
	free time.Time  // when everything that it holds will be sent
}

func newModem() *modem {
	m := &modem{turn: make(chan struct{}, 1)}
	m.turn <- struct{}{}
	return m
}

// send takes n bytes at a time and returns when they will be sent. If the queue
// is full it takes nothing, and returns how long to wait.
func (m *modem) send(now time.Time, n int, w Way) (sent time.Time, wait time.Duration) {
	if w.Rate <= 0 {
		return now, 0
	}
	queue := w.Queue
	if queue == 0 {
		queue = defaultQueue
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.free.Before(now) {
		m.free = now
	}
	if over := m.free.Sub(now) - span(queue, w.Rate); over > 0 {
		return now, over
	}
	m.free = m.free.Add(span(int64(n), w.Rate))
	return m.free, 0
}

// push has n bytes sent again, whether there is room or not.
func (m *modem) push(n int, w Way) {
	if w.Rate <= 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free = m.free.Add(span(int64(n), w.Rate))
}

// reset forgets what is held: the link has become another one.
func (m *modem) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free = time.Time{}
}

func span(bytes, rate int64) time.Duration {
	return time.Duration(float64(bytes) / float64(rate) * float64(time.Second))
}

// losses is how often a segment is lost before it arrives.
func losses(chance *rand.Rand, w Way) int {
	n := 0
	for p := chance.Float64(); p < w.Loss && n < mostLosses; p = chance.Float64() {
		n++
	}
	return n
}

// late is how much later a segment arrives that was lost n times.
func late(n int, rtt time.Duration) time.Duration {
	if n == 0 {
		return 0
	}
	return max(rtt, least) * (1<<n - 1) // each time the sender waits twice as long
}
