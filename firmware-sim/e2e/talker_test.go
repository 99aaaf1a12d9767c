package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// numbered is a metrics message that carries its number.
func numbered(n int) []byte { return fmt.Appendf(nil, `{"n":%d}`, n) }

func numberIn(payload []byte) int {
	var p struct{ N *int }
	if json.Unmarshal(payload, &p) != nil || p.N == nil {
		return -1
	}
	return *p.N
}

// tally is what a subscriber has got of each topic.
type tally struct {
	mu      sync.Mutex // guards byTopic
	byTopic map[string]*row
	sum     atomic.Int64
}

// row is how the numbers of one topic came: they should be 1, 2, 3 and so on.
type row struct{ last, lost, back int }

func newTally() *tally { return &tally{byTopic: map[string]*row{}} }

func (s *tally) take(topic string, payload []byte) {
	n := numberIn(payload)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.byTopic[topic]
	if r == nil {
		r = &row{}
		s.byTopic[topic] = r
	}
	if n > r.last {
		r.lost += n - r.last - 1
		r.last = n
	} else {
		r.back++
	}
	s.sum.Add(1)
}

// check wants each of the numbers 1 to n of the topic once, in order.
func (s *tally) check(t *testing.T, topic string, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.byTopic[topic]
	if r == nil {
		r = &row{}
	}
	if *r != (row{last: n}) {
		t.Errorf("%s: of %d messages the last is %d, %d were passed over, %d came twice or late", topic, n, r.last, r.lost, r.back)
	}
}

// talker publishes numbered messages of QoS 1, with a window of its own.
type talker struct {
	*wire
	topic  string
	sent   int
	acked  atomic.Int64
	window chan struct{}
	ended  chan struct{} // closed when the connection is
}

func newTalker(t *testing.T, addr string, d device) *talker {
	t.Helper()
	p := &talker{wire: dialWire(t, addr, d, hello{}), topic: d.Base + "/metrics", window: make(chan struct{}, 32), ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		for {
			first, _, err := p.next()
			if err != nil {
				return
			}
			if first>>4 == puback {
				p.acked.Add(1)
				<-p.window
			}
		}
	}()
	return p
}

// say publishes the next message; false when the connection has ended.
func (p *talker) say() bool {
	select {
	case p.window <- struct{}{}:
	case <-p.ended:
		return false
	}
	n := p.sent + 1
	if _, err := p.Write(p.publication(p.topic, numbered(n), 1, false, uint16(n%60000+1))); err != nil {
		return false
	}
	p.sent = n
	return true
}

// settle waits until everything that was said is acknowledged.
func (p *talker) settle(t *testing.T) {
	t.Helper()
	waitFor(t, 60*time.Second, "the PUBACKs of "+p.topic, func() bool { return p.acked.Load() == int64(p.sent) })
}

// listener subscribes to the metrics of the site and counts them.
func listener(t *testing.T, hub *program, api *api, h hello) *tally {
	t.Helper()
	got := newTally()
	c := dialWire(t, hub.Listeners["mqtt"], api.addTo(api.wide("wide"), "watch-001", "watch", "bridge"), h)
	c.subscribe(t, "obedio/yacht-1/+/sensor/+/metrics", 1)
	go func() {
		_ = c.read(func(topic string, payload []byte) bool { got.take(topic, payload); return false })
	}()
	return got
}

// busyLoop takes a core for as long as the test runs, and not for ever if
// nobody ends it.
func busyLoop(t *testing.T) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "i=0; while [ $i -lt 300000000 ]; do i=$((i+1)); done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}
