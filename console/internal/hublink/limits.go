package hublink

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/obedio/obedio/shared/fleet"
)

// limits bounds how often Enrol is tried, in all and per address.
type limits struct {
	every rate.Limit
	burst int
	all   *rate.Limiter

	mu   sync.Mutex // guards by
	by   map[netip.Prefix]*rate.Limiter
	most int
}

func newLimits(c Config) *limits {
	return &limits{
		every: rate.Every(c.EnrolEvery), burst: c.EnrolBurst, all: rate.NewLimiter(rate.Limit(c.EnrolAll), c.EnrolAllBurst),
		by: map[netip.Prefix]*rate.Limiter{}, most: 10_000,
	}
}

// take counts a try from an address ("host:port"); fleet.ErrLimit. Loopback
// counts only for all.
func (l *limits) take(addr string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ap, err := netip.ParseAddrPort(addr); err == nil && !ap.Addr().Unmap().IsLoopback() {
		ip := ap.Addr().Unmap()
		bits := 32
		if ip.Is6() {
			bits = 64 // one customer
		}
		who, _ := ip.Prefix(bits)
		b, ok := l.by[who]
		if !ok {
			if len(l.by) >= l.most {
				l.forget(now)
			}
			b = rate.NewLimiter(l.every, l.burst)
			if len(l.by) < l.most {
				l.by[who] = b
			}
		}
		if !b.AllowN(now, 1) {
			return fmt.Errorf("%w: too many tries from %s", fleet.ErrLimit, who)
		}
	}
	if !l.all.AllowN(now, 1) {
		return fmt.Errorf("%w: too many tries", fleet.ErrLimit)
	}
	return nil
}

// forget drops addresses whose allowance is whole again.
func (l *limits) forget(now time.Time) {
	for who, b := range l.by {
		if b.TokensAt(now) >= float64(l.burst) {
			delete(l.by, who)
		}
	}
}
