package presence

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/shared/fleet"
)

// Policy says what silence means for a type of device.
type Policy struct {
	// Interval at which a device that is awake reports.
	Interval time.Duration
	// LateAfter and LostAfter without a message.
	LateAfter, LostAfter time.Duration
	// SleepsFor is how long a device that said goodbye may be silent; 0 for one
	// that does not sleep.
	SleepsFor time.Duration
}

// DefaultPolicies are those of the built-in types.
func DefaultPolicies() map[fleet.DeviceType]Policy {
	every := func(interval, sleeps time.Duration) Policy { return Policy{SleepsFor: sleeps}.at(interval) }
	return map[fleet.DeviceType]Policy{
		fleet.Button:   every(5*time.Minute, 24*time.Hour),
		fleet.Watch:    every(time.Minute, 0),
		fleet.Repeater: every(time.Minute, 0),
		fleet.Sensor:   every(5*time.Minute, 12*time.Hour),
	}
}

// at is the policy of a device that reports at another interval.
func (p Policy) at(interval time.Duration) Policy {
	return Policy{Interval: interval, LateAfter: 2*interval + interval/2, LostAfter: 10 * interval, SleepsFor: p.SleepsFor}
}

// evidence is what is known of a device at one moment.
type evidence struct {
	ever      bool // it was heard of at some time
	connected bool
	goodbye   bool      // it ended its last connection by its own word
	broken    bool      // its last connection ended otherwise, and it was not heard of since
	seen      time.Time // last message, or the start of the hub if that is later
}

// judge says what the evidence amounts to.
func (p Policy) judge(e evidence, now time.Time) fleet.Presence {
	silence := now.Sub(e.seen)
	switch {
	case !e.ever:
		return fleet.NeverSeen
	case !e.connected && e.goodbye && p.SleepsFor > 0:
		switch {
		case silence < p.SleepsFor:
			return fleet.Sleeping
		case silence < 2*p.SleepsFor:
			return fleet.Late
		}
		return fleet.Lost
	case p.LostAfter > 0 && silence >= p.LostAfter:
		return fleet.Lost
	case !e.connected && (e.goodbye || e.broken):
		return fleet.Disconnected
	case p.LateAfter > 0 && silence >= p.LateAfter:
		return fleet.Late
	}
	return fleet.Ready
}

// entry is one device. Presence's lock guards it.
type entry struct {
	state fleet.DeviceState
	// ashore is the state that was given its version last.
	ashore fleet.DeviceState
	kind   fleet.DeviceType
	// profile may have a reporting interval of its own.
	profile string
	// live is the generation of the connection that is up; 0 without one.
	live    uint64
	goodbye bool
	broken  bool
	seen    time.Time // of this run
	told    time.Time
	// via is the repeater through which it was heard last, if heard.
	via   fleet.DeviceID
	heard bool
}

func (e *entry) evidence(started time.Time) evidence {
	seen := e.seen
	if seen.IsZero() {
		// The hub was away itself: silence counts from its start.
		seen = started
	}
	return evidence{ever: !e.state.LastSeen.IsZero(), connected: e.live != 0, goodbye: e.goodbye, broken: e.broken, seen: seen}
}

// take keeps what a device told of itself.
func (e *entry) take(t dialect.Telemetry) {
	if t.Battery != nil {
		e.state.Battery = t.Battery
	}
	if t.Signal != nil {
		e.state.Signal = t.Signal
	}
	// Copies: the texts are parts of the whole payload, which must not stay.
	if t.Firmware != "" && t.Firmware != e.state.Firmware {
		e.state.Firmware = strings.Clone(t.Firmware)
	}
	if t.BootID != "" && t.BootID != e.state.BootID {
		e.state.BootID = strings.Clone(t.BootID)
	}
	if t.UptimeS != nil {
		e.state.UptimeS = t.UptimeS
	}
}

// signalStep is the least change of the signal that is told at once; radio is
// noisy.
const signalStep = 3

// sameState reports whether nothing changed that is worth telling at once.
func sameState(a, b fleet.DeviceState) bool {
	return a.Presence == b.Presence && equal(a.Battery, b.Battery) && a.Firmware == b.Firmware && a.BootID == b.BootID &&
		(a.Signal == nil) == (b.Signal == nil) &&
		(a.Signal == nil || max(*a.Signal-*b.Signal, *b.Signal-*a.Signal) < signalStep)
}

func equal(a, b *int) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// SetPolicies changes policies as settings of the form TYPE=INTERVAL or
// TYPE=INTERVAL/SLEEP say, such as button=5m/24h: how often the type reports
// while it is awake, and how long one that said goodbye may be silent.
// fleet.ErrInvalid names the one that is wrong.
func SetPolicies(all map[fleet.DeviceType]Policy, settings []string) (map[fleet.DeviceType]Policy, error) {
	all = maps.Clone(all)
	for _, s := range settings {
		name, value, ok := strings.Cut(s, "=")
		kind, err := fleet.ParseDeviceType(name)
		if !ok || err != nil {
			return nil, fmt.Errorf("%w: %q: want TYPE=INTERVAL or TYPE=INTERVAL/SLEEP, such as button=5m/24h", fleet.ErrInvalid, s)
		}
		interval, sleep, sleeps := strings.Cut(value, "/")
		p := all[kind]
		every, err := time.ParseDuration(interval)
		if err != nil || every <= 0 {
			return nil, fmt.Errorf("%w: %q: interval %q: want a duration, such as 5m", fleet.ErrInvalid, s, interval)
		}
		if sleeps {
			if p.SleepsFor, err = time.ParseDuration(sleep); err != nil || p.SleepsFor < 0 {
				return nil, fmt.Errorf("%w: %q: sleep %q: want a duration, such as 24h, or 0s for none", fleet.ErrInvalid, s, sleep)
			}
		}
		all[kind] = p.at(every)
	}
	return all, nil
}
