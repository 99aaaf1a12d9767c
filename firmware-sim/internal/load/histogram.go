package load

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latency sums up durations, in microseconds.
type Latency struct {
	Count  int64 `json:"count"`
	MeanUS int64 `json:"mean_us"`
	P50US  int64 `json:"p50_us"`
	P95US  int64 `json:"p95_us"`
	P99US  int64 `json:"p99_us"`
	MaxUS  int64 `json:"max_us"`
}

// histogram records durations from many goroutines: in shards, so that they do
// not wait for each other.
type histogram struct {
	shards [8]struct {
		sync.Mutex // guards h
		h          *hdrhistogram.Histogram
	}
}

// longest is the greatest duration that is told apart.
const longest = 5 * time.Minute

func newHistogram() *histogram {
	h := &histogram{}
	for i := range h.shards {
		h.shards[i].h = hdrhistogram.New(1, longest.Microseconds(), 3)
	}
	return h
}

func (h *histogram) record(shard int, d time.Duration) {
	s := &h.shards[shard%len(h.shards)]
	v := min(max(d.Microseconds(), 1), longest.Microseconds())
	s.Lock()
	defer s.Unlock()
	_ = s.h.RecordValue(v) // never out of range: v is bounded above
}

func (h *histogram) latency() Latency {
	sum := hdrhistogram.New(1, longest.Microseconds(), 3)
	for i := range h.shards {
		s := &h.shards[i]
		s.Lock()
		sum.Merge(s.h)
		s.Unlock()
	}
	return Latency{
		Count: sum.TotalCount(), MeanUS: int64(sum.Mean()), P50US: sum.ValueAtQuantile(50), P95US: sum.ValueAtQuantile(95),
		P99US: sum.ValueAtQuantile(99), MaxUS: sum.Max(),
	}
}
