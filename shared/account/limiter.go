package account

import (
	"container/list"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// LimiterConfig says when failed sign-ins make the next one wait. Zero fields
// take the defaults.
type LimiterConfig struct {
	// Free failures before the first wait, for one username and for one
	// address; 5 by default.
	Free int
	// First wait; doubled by each further failure; 1 s by default.
	First time.Duration
	// LongestForName is the longest wait for a username, kept short because
	// anybody may make a colleague wait; 30 s by default.
	LongestForName time.Duration
	// LongestForAddress is the longest wait for an address; 15 min by default.
	LongestForAddress time.Duration
	// Forget failures after this time without one; 1 h by default.
	Forget time.Duration
	// Remember at most so many usernames, and so many addresses; 4096 by
	// default. The one that failed longest ago is forgotten first.
	Remember int
}

func (c LimiterConfig) withDefaults() LimiterConfig {
	if c.Free <= 0 {
		c.Free = 5
	}
	if c.First <= 0 {
		c.First = time.Second
	}
	if c.LongestForName <= 0 {
		c.LongestForName = 30 * time.Second
	}
	if c.LongestForAddress <= 0 {
		c.LongestForAddress = 15 * time.Minute
	}
	if c.Forget <= 0 {
		c.Forget = time.Hour
	}
	if c.Remember <= 0 {
		c.Remember = 4096
	}
	return c
}

// WaitError is ErrLimit with the time after which to try again.
type WaitError struct{ Wait time.Duration }

// Error implements error.
func (e *WaitError) Error() string {
	return fmt.Sprintf("%s: too many failed sign-ins: try again in %s", fleet.ErrLimit, e.Wait.Round(time.Second))
}

// Unwrap makes it ErrLimit.
func (e *WaitError) Unwrap() error { return fleet.ErrLimit }

// RetryAfter is the time after which to try again.
func (e *WaitError) RetryAfter() time.Duration { return e.Wait }

// limiter counts failed sign-ins by username and by address.
type limiter struct {
	cfg LimiterConfig
	now func() time.Time

	mu        sync.Mutex // guards both
	names     strikes
	addresses strikes
}

func newLimiter(c LimiterConfig, now func() time.Time) *limiter {
	c = c.withDefaults()
	return &limiter{
		cfg: c, now: now,
		names:     strikes{longest: c.LongestForName, byKey: map[string]*list.Element{}},
		addresses: strikes{longest: c.LongestForAddress, byKey: map[string]*list.Element{}},
	}
}

// begin counts an attempt as failed before it is made, so that many at once
// cannot pass before the first has failed. The caller calls succeeded if it
// was none, or undecided if it was not tried after all. name may be "".
func (l *limiter) begin(name string, address netip.Addr) (attempt, error) {
	return l.start(name, addressKey(address))
}

// start is begin for a place that is no address, such as a tablet.
func (l *limiter) start(name, place string) (attempt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	a := attempt{l: l, name: name, address: place}
	wait := max(l.names.wait(a.name, now), l.addresses.wait(a.address, now))
	if wait > 0 {
		return attempt{}, &WaitError{Wait: wait}
	}
	l.names.strike(a.name, now, l.cfg)
	l.addresses.strike(a.address, now, l.cfg)
	return a, nil
}

type attempt struct {
	l             *limiter
	name, address string
}

// succeeded forgets the failures of the username, and takes back the one that
// was counted for the address: who has one account must not clear an address
// from which others are tried.
func (a attempt) succeeded() {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	a.l.names.forget(a.name)
	a.l.addresses.takeBack(a.address)
}

// undecided takes back what begin has counted.
func (a attempt) undecided() {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	a.l.names.takeBack(a.name)
	a.l.addresses.takeBack(a.address)
}

// strikes are the failures of names or of addresses; the front of order is
// the key that failed last.
type strikes struct {
	longest time.Duration
	byKey   map[string]*list.Element
	order   list.List
}

type strike struct {
	key   string
	n     int
	last  time.Time
	until time.Time
}

func (s *strikes) wait(key string, now time.Time) time.Duration {
	e, ok := s.byKey[key]
	if !ok || key == "" {
		return 0
	}
	// A clock that was set back must not lock anybody out for long.
	return min(e.Value.(*strike).until.Sub(now), s.longest)
}

func (s *strikes) strike(key string, now time.Time, c LimiterConfig) {
	if key == "" {
		return
	}
	e, ok := s.byKey[key]
	if !ok {
		if len(s.byKey) >= c.Remember {
			oldest := s.order.Back()
			delete(s.byKey, oldest.Value.(*strike).key)
			s.order.Remove(oldest)
		}
		e = s.order.PushFront(&strike{key: key})
		s.byKey[key] = e
	}
	k := e.Value.(*strike)
	if now.Sub(k.last) > c.Forget {
		k.n = 0
	}
	k.n++
	k.last = now
	k.until = now.Add(s.backOff(k.n, c))
	s.order.MoveToFront(e)
}

func (s *strikes) backOff(n int, c LimiterConfig) time.Duration {
	over := n - c.Free
	if over < 0 {
		return 0
	}
	wait := c.First
	for range over {
		if wait >= s.longest {
			break
		}
		wait *= 2
	}
	return min(wait, s.longest)
}

func (s *strikes) takeBack(key string) {
	e, ok := s.byKey[key]
	if !ok {
		return
	}
	k := e.Value.(*strike)
	k.n--
	k.until = k.last
	if k.n <= 0 {
		s.forget(key)
	}
}

func (s *strikes) forget(key string) {
	if e, ok := s.byKey[key]; ok {
		delete(s.byKey, key)
		s.order.Remove(e)
	}
}

// addressKey takes an IPv6 network of 64 bits as one address: whoever has one
// address in it has them all. No address (a Unix socket) is not limited.
func addressKey(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
