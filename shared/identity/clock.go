package identity

import (
	"fmt"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// ClockSource says where a clock has its time from.
type ClockSource string

// The sources, from the weakest to the strongest.
const (
	// ClockUnset: the system's clock cannot be right, and nothing is known but
	// when the program was built.
	ClockUnset ClockSource = "unset"
	// ClockFloor: the system's clock cannot be right; the time goes on from the
	// last one that was known.
	ClockFloor ClockSource = "floor"
	// ClockRTC: the system's clock, which nobody has confirmed.
	ClockRTC ClockSource = "rtc"
	// ClockConsole: the console has told the time, over the hub link.
	ClockConsole ClockSource = "console"
	// ClockOperator: a person has set or confirmed the time.
	ClockOperator ClockSource = "operator"
	// ClockNTP: the system says that its clock is kept in step with the world's.
	ClockNTP ClockSource = "ntp"
)

const (
	// jump is how far the system's clock may be ahead of what is known before
	// somebody has to confirm it.
	jump = 24 * time.Hour
	// slack is how far two clocks may differ and be taken for the same.
	slack = 2 * time.Minute
)

// ClockConfig is what NewClock needs. Zero fields take their defaults.
type ClockConfig struct {
	// System is the system's clock; time.Now.
	System func() time.Time
	// Monotonic is the time since any moment, which nobody can set; that of the
	// operating system, or, when only System is given, how far that has gone.
	Monotonic func() time.Duration
	// Built is a time that has certainly passed: when the program was made.
	Built time.Time
	// Synchronised says whether the system's clock is kept in step with the
	// world's; never, if nil. It is asked by Look.
	Synchronised func() bool
}

// Clock is the time of a program on a board whose clock may be wrong: without a
// battery, or set by mistake. Safe for use from any goroutine.
//
// What always holds: Now is never before the time that Raise was last told,
// less two minutes, but when the console, an operator or NTP says so; Certain
// goes forward by the passing of time only, however the system's clock jumps,
// until one of those three has said otherwise.
type Clock struct {
	c ClockConfig

	mu     sync.Mutex // guards what follows
	floor  mark       // a time that has certainly passed
	known  bool       // Raise has told how late it was when the program last ran
	synced bool
	anchor mark // what the console or an operator has said
	source ClockSource
	sure   mark // what Certain said last
}

// mark is a time, and where the monotonic clock stood then.
type mark struct {
	at   time.Time
	mono time.Duration
}

func (m mark) now(mono time.Duration) time.Time { return m.at.Add(mono - m.mono) }

// Reading is what a clock says, and why.
type Reading struct {
	Now     time.Time   `json:"now"`
	Source  ClockSource `json:"source"`
	Trusted bool        `json:"trusted"`
	// System is what the system's clock says.
	System time.Time `json:"system"`
	// Ahead is how many seconds the system's clock is ahead of what is known;
	// only when that is more than a day and nobody has confirmed it. Nothing
	// expires by that clock meanwhile.
	Ahead float64 `json:"unconfirmed_jump_s,omitempty"`
}

// NewClock returns a clock that knows when the program was built.
func NewClock(c ClockConfig) *Clock {
	if c.Monotonic == nil {
		if c.System == nil {
			began := time.Now()
			c.Monotonic = func() time.Duration { return time.Since(began) }
		} else {
			began := c.System()
			c.Monotonic = func() time.Duration { return max(0, c.System().Sub(began)) }
		}
	}
	if c.System == nil {
		c.System = time.Now
	}
	k := &Clock{c: c, floor: mark{c.Built, c.Monotonic()}}
	k.Look()
	k.sure = mark{k.Read().Now, c.Monotonic()}
	return k
}

// Look asks again whether the system's clock is kept in step. Call it now and
// then.
func (k *Clock) Look() {
	if k.c.Synchronised == nil {
		return
	}
	synced := k.c.Synchronised()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.synced = synced
}

// AtLeast tells a time that has certainly passed, however long ago: when a
// certificate of one's own was made.
func (k *Clock) AtLeast(t time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if mono := k.c.Monotonic(); t.After(k.floor.now(mono)) {
		k.floor = mark{t, mono}
	}
}

// Raise tells the time as it was stored last: the system's clock should not be
// far ahead of it.
func (k *Clock) Raise(t time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	mono := k.c.Monotonic()
	if !t.After(k.floor.now(mono)) && (k.known || t.Before(k.floor.at)) {
		return
	}
	first := !k.known
	k.floor, k.known = mark{t, mono}, true
	if r := k.read(); first && !r.Trusted {
		// Until now nothing but the build was known, and the system's clock was
		// believed for that.
		k.sure = mark{t, mono}
	}
}

// Tell takes the time from a source that knows it: the console or an operator.
// NTP goes before both.
func (k *Clock) Tell(t time.Time, source ClockSource) error {
	if source != ClockConsole && source != ClockOperator {
		return fmt.Errorf("%w: clock source %q", fleet.ErrInvalid, source)
	}
	if t.Before(k.c.Built) {
		return fmt.Errorf("%w: %s is before this program was made (%s)", fleet.ErrInvalid, t.Format(time.RFC3339), k.c.Built.Format(time.RFC3339))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.anchor, k.source = mark{t, k.c.Monotonic()}, source
	return nil
}

// Confirm has the operator's word that the system's clock is right.
func (k *Clock) Confirm() error { return k.Tell(k.c.System(), ClockOperator) }

// Now returns the time, and whether it can be right.
func (k *Clock) Now() (time.Time, bool) {
	r := k.Read()
	return r.Now, r.Trusted
}

// Read returns all that the clock says.
func (k *Clock) Read() Reading {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.read()
}

func (k *Clock) read() Reading {
	mono, system := k.c.Monotonic(), k.c.System()
	floor := k.floor.now(mono)
	r := Reading{Now: system, System: system, Trusted: true}
	switch {
	case k.synced && !system.Before(k.c.Built):
		r.Source = ClockNTP
	case k.source != "":
		r.Source = k.source
		if told := k.anchor.now(mono); system.Sub(told).Abs() > slack {
			r.Now = told
		}
	case system.Before(k.floor.at.Add(-slack)) || k.known && system.Before(floor.Add(-slack)):
		r.Now, r.Trusted, r.Source = floor, false, ClockFloor
		if !k.known {
			r.Source = ClockUnset
		}
	case k.known && system.After(floor.Add(jump)):
		r.Source, r.Trusted, r.Ahead = ClockRTC, false, system.Sub(floor).Seconds()
	default:
		r.Source = ClockRTC
	}
	return r
}

// Certain is the time by which things expire: a certificate, a session, a token.
// A jump of the system's clock by more than a day does not move it until the
// console, an operator or NTP has confirmed it.
func (k *Clock) Certain() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	mono, r := k.c.Monotonic(), k.read()
	sure := k.sure.now(mono)
	switch r.Source {
	case ClockNTP, ClockConsole, ClockOperator:
		sure = r.Now
	case ClockRTC:
		if r.Trusted && r.Now.After(sure) {
			sure = r.Now
		}
	case ClockUnset, ClockFloor:
		if r.Now.After(sure) {
			sure = r.Now
		}
	}
	k.sure = mark{sure, mono}
	return sure
}
