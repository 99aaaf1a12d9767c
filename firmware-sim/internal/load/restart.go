package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
)

// Back is how the clients came back after a restart.
type Back struct {
	// AwayMS is from the end of the first connection until something answered at
	// the hub's address; BackMS from then until the last client was connected.
	AwayMS int64 `json:"away_ms"`
	BackMS int64 `json:"back_ms"`
	// Missing clients were not back in time.
	Missing int `json:"missing"`
	// Failed attempts, of those that were answered at all.
	Failed int64 `json:"failed_attempts"`
	// Latency of a client is from when the hub answered until it was back.
	Latency Latency `json:"latency"`
}

// The pauses between two attempts of a client. They are far shorter than those
// of devices: it is the hub that is measured.
const (
	knockEvery = 100 * time.Millisecond
	knockMost  = time.Second
)

// moment is the earliest of the times that it is told.
type moment struct {
	once sync.Once
	at   atomic.Pointer[time.Time]
}

func (m *moment) now() {
	m.once.Do(func() {
		t := time.Now()
		m.at.Store(&t)
	})
}

// restart waits until all connections have ended, connects again, and measures.
func (l *load) restart(ctx context.Context, r *Report) error {
	stop := make(chan struct{})
	used, err := watch(l.c.Watch, l.c.Restart, stop)
	if err != nil {
		return err
	}
	if l.c.Connected != nil {
		if err := l.c.Connected(r); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, l.c.Restart)
	defer cancel()
	var lost, answered moment
	var failed, missing atomic.Int64
	returned := make([]time.Time, len(l.clients))
	var wg sync.WaitGroup
	for i, k := range l.clients {
		if k == nil {
			continue
		}
		wg.Go(func() {
			end := context.AfterFunc(ctx, func() { _ = k.conn.Close() })
			_ = k.read() // until the hub is gone, or the time is over
			_ = k.conn.Close()
			if !end() {
				missing.Add(1)
				return
			}
			lost.now()
			again, err := l.knock(ctx, i, answered.now, &failed)
			if err != nil {
				missing.Add(1)
				l.fail(err)
				return
			}
			returned[i] = time.Now()
			l.clients[i] = again
		})
	}
	wg.Wait()
	close(stop)
	if r.Watched, err = used(); err != nil {
		return err
	}
	b := &Back{Missing: int(missing.Load()), Failed: failed.Load()}
	if up := answered.at.Load(); up != nil {
		b.AwayMS = up.Sub(*lost.at.Load()).Milliseconds()
		took := newHistogram()
		for i, at := range returned {
			if !at.IsZero() {
				took.record(i, at.Sub(*up))
				b.BackMS = max(b.BackMS, at.Sub(*up).Milliseconds())
			}
		}
		b.Latency = took.latency()
	}
	r.Back, r.Connect = b, l.connects.latency()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first != nil {
		r.FirstError = l.first.Error()
	}
	if up := answered.at.Load(); up == nil {
		return fmt.Errorf("the hub was not restarted within %s", l.c.Restart)
	}
	return nil
}

// knock connects client i, however often that takes.
func (l *load) knock(ctx context.Context, i int, answered func(), failed *atomic.Int64) (*client, error) {
	chance := device.Chance(l.c.Seed, fmt.Sprint("knock ", i))
	pause := knockEvery
	for {
		reached := false
		c := l.to[i]
		c.reached = func() {
			reached = true
			answered()
		}
		k, err := dial(ctx, c)
		if err == nil {
			k.acked, k.received = func(time.Duration, bool) {}, func(string, []byte) {}
			return k, nil
		}
		if reached {
			failed.Add(1)
			pause = min(2*pause, knockMost)
		}
		timer := time.NewTimer(time.Duration((0.5 + chance.Float64()) * float64(pause)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		case <-timer.C:
		}
	}
}
