package device

import (
	"context"
	"time"
)

// Clock runs simulated time: it is Speed times as fast as real time. What
// devices and people wait for is simulated time; the hub's time stays real. It
// may be used from any goroutine.
type Clock struct {
	speed float64
	start time.Time
}

// NewClock returns a clock that begins now. A speed of 0 or less means 1.
func NewClock(speed float64) *Clock {
	if speed <= 0 {
		speed = 1
	}
	return &Clock{speed: speed, start: time.Now()}
}

// Now is the simulated time since the clock began.
func (c *Clock) Now() time.Duration {
	return time.Duration(float64(time.Since(c.start)) * c.speed)
}

// Real is how long d of simulated time takes.
func (c *Clock) Real(d time.Duration) time.Duration {
	return time.Duration(float64(d) / c.speed)
}

// Sleep waits for d of simulated time, or until ctx ends: then it returns the
// context's error.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(c.Real(d))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// After calls fn from a goroutine of its own after d of simulated time.
func (c *Clock) After(d time.Duration, fn func()) *time.Timer {
	return time.AfterFunc(c.Real(d), fn)
}
