package device

import (
	"math/rand/v2"
	"time"
)

// battery drains while the device is awake, and is a little noisy.
type battery struct {
	level float64 // per cent
	drain float64 // per cent an hour
	at    time.Duration
}

func (b *battery) read(now time.Duration) int {
	b.level = max(0, b.level-b.drain*(now-b.at).Hours())
	b.at = now
	return int(b.level + 0.5)
}

// radio is a signal that wanders around a mean.
type radio struct {
	mean  float64 // dBm
	now   float64
	noise *rand.Rand
}

func (r *radio) read() int {
	// A random walk that is drawn back to its mean: near readings resemble each
	// other, as those of a device that hangs on a wall do.
	r.now += 0.3*(r.mean-r.now) + 1.5*r.noise.NormFloat64()
	r.now = min(-30, max(-99, r.now))
	return int(r.now - 0.5)
}
