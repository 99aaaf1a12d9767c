package link

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mode is what the link does with a connection.
type Mode string

// The modes.
const (
	// Open carries.
	Open Mode = "open"
	// Cut ends all connections with a reset, and does so with new ones at once.
	Cut Mode = "cut"
	// HalfOpen carries nothing and says nothing: connections stay, new ones are
	// taken, and nobody learns of it. What was under way arrives when it ends.
	HalfOpen Mode = "half-open"
	// Page answers every connection with a page of HTML (200), as a captive portal
	// does; to a TLS client under a certificate of its own.
	Page Mode = "page"
	// Redirect does so with 302.
	Redirect Mode = "redirect"
	// BadGateway does so with 502, as a proxy.
	BadGateway Mode = "bad-gateway"
	// Garbage writes a page in plain HTTP to whoever connects, also in the middle
	// of a TLS handshake.
	Garbage Mode = "garbage"
)

// Way is one direction.
type Way struct {
	// Delay of a chunk, one way, and at most so much more.
	Delay  time.Duration `json:"delay_ns"`
	Jitter time.Duration `json:"jitter_ns"`
	// Rate in bytes a second, of all connections together; 0 for as quick as it
	// goes.
	Rate int64 `json:"rate_bytes_per_s"`
	// Queue is how many bytes wait at most for a link with a Rate; 64 KiB if 0.
	Queue int64 `json:"queue_bytes"`
	// Loss is the share of segments that are lost, from 0 to below 1.
	Loss float64 `json:"loss"`
}

// Profile is how the link is at a time.
type Profile struct {
	Name string `json:"name"`
	Mode Mode   `json:"mode"`
	// Up is from who connects to the target.
	Up   Way `json:"up"`
	Down Way `json:"down"`
}

// RTT is the time there and back, without jitter and queues.
func (p Profile) RTT() time.Duration { return p.Up.Delay + p.Down.Delay }

const mbit = 1_000_000 / 8

func both(mode Mode, w Way) Profile { return Profile{Mode: mode, Up: w, Down: w} }

// profiles by name.
func profiles() map[string]Profile {
	m := map[string]Profile{
		// A local network.
		"lan": both(Open, Way{}),
		// A geostationary satellite of a small vessel.
		"vsat": both(Open, Way{Delay: 300 * time.Millisecond, Jitter: 20 * time.Millisecond, Rate: mbit, Loss: 0.02}),
		// The same in heavy weather, shared with the crew.
		"flaky": both(Open, Way{Delay: 350 * time.Millisecond, Jitter: 250 * time.Millisecond, Rate: mbit / 4, Queue: 32 << 10, Loss: 0.08}),
		// Low orbit.
		"starlink": {
			Mode: Open,
			Up:   Way{Delay: 20 * time.Millisecond, Jitter: 15 * time.Millisecond, Rate: 10 * mbit, Queue: 256 << 10, Loss: 0.005},
			Down: Way{Delay: 20 * time.Millisecond, Jitter: 15 * time.Millisecond, Rate: 100 * mbit, Queue: 1 << 20, Loss: 0.005},
		},
		"cut":             {Mode: Cut},
		"half-open":       {Mode: HalfOpen},
		"captive-portal":  {Mode: Page},
		"portal-redirect": {Mode: Redirect},
		"bad-gateway":     {Mode: BadGateway},
		"garbage":         {Mode: Garbage},
	}
	for name, p := range m {
		p.Name = name
		m[name] = p
	}
	return m
}

// Names of the profiles, sorted.
func Names() []string { return slices.Sorted(maps.Keys(profiles())) }

// ParseProfile reads the name of a profile, and changes to it, such as
// "vsat,rtt=800ms,loss=5%,rate=256k": rtt and jitter are durations, loss is a
// percentage, rate bits a second (k, M), queue bytes (k, M). up. or down. before one
// is for that direction alone.
func ParseProfile(text string) (Profile, error) {
	name, changes, _ := strings.Cut(strings.TrimSpace(text), ",")
	p, known := profiles()[name]
	if !known {
		return p, fmt.Errorf("link profile %.40q: want one of %s", name, strings.Join(Names(), ", "))
	}
	if changes == "" {
		return p, nil
	}
	if p.Mode != Open {
		return p, fmt.Errorf("link profile %s carries nothing: it takes no changes", name)
	}
	for change := range strings.SplitSeq(changes, ",") {
		if err := p.change(change); err != nil {
			return p, err
		}
	}
	p.Name = text
	return p, p.check()
}

func (p *Profile) change(text string) error {
	key, value, _ := strings.Cut(text, "=")
	ways := []*Way{&p.Up, &p.Down}
	if rest, ok := strings.CutPrefix(key, "up."); ok {
		key, ways = rest, ways[:1]
	} else if rest, ok := strings.CutPrefix(key, "down."); ok {
		key, ways = rest, ways[1:]
	}
	var set func(*Way)
	var err error
	switch key {
	case "rtt":
		var d time.Duration
		d, err = time.ParseDuration(value)
		set = func(w *Way) { w.Delay = d / 2 }
	case "jitter":
		var d time.Duration
		d, err = time.ParseDuration(value)
		set = func(w *Way) { w.Jitter = d }
	case "rate":
		var n int64
		n, err = number(value, 1000)
		set = func(w *Way) { w.Rate = n / 8 }
	case "queue":
		var n int64
		n, err = number(value, 1024)
		set = func(w *Way) { w.Queue = n }
	case "loss":
		var f float64
		f, err = strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
		set = func(w *Way) { w.Loss = f / 100 }
	default:
		return fmt.Errorf("link profile: %.40q: want rtt, jitter, rate, queue or loss, with = and a value", text)
	}
	if err != nil {
		return fmt.Errorf("link profile: %.40q: %w", text, err)
	}
	for _, w := range ways {
		set(w)
	}
	return nil
}

// number reads a number with k or M behind it, each a step more.
func number(s string, step int64) (int64, error) {
	times := int64(1)
	if rest, ok := strings.CutSuffix(s, "k"); ok {
		s, times = rest, step
	} else if rest, ok := strings.CutSuffix(s, "M"); ok {
		s, times = rest, step*step
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil && (n < 0 || n > 1<<40/times) {
		err = strconv.ErrRange
	}
	return n * times, err
}

func (p Profile) check() error {
	switch p.Mode {
	case Open, Cut, HalfOpen, Page, Redirect, BadGateway, Garbage:
	default:
		return fmt.Errorf("link profile %.40q: unknown mode %.40q", p.Name, p.Mode)
	}
	for _, w := range []Way{p.Up, p.Down} {
		if w.Delay < 0 || w.Jitter < 0 || w.Rate < 0 || w.Queue < 0 || !(w.Loss >= 0 && w.Loss <= 0.9) {
			return fmt.Errorf("link profile %.40q: want nothing below 0, and a loss of at most 90 %%", p.Name)
		}
		if w.Delay > time.Hour || w.Jitter > time.Hour {
			return fmt.Errorf("link profile %.40q: a delay or jitter of more than an hour", p.Name)
		}
	}
	return nil
}
