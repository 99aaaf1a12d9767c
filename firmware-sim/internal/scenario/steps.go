package scenario

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/shared/fleet"
)

// action is what a step does. start returns when those behind it may begin;
// what goes on after that is run's.
type action interface {
	valid(groups map[string]bool) error
	start(ctx context.Context, r *run) error
}

// actions make an empty action by the word that a script uses.
var actions = map[string]func() action{
	"connect":      func() action { return &each{what: "connect"} },
	"power_off":    func() action { return &each{what: "power_off"} },
	"crash":        func() action { return &each{what: "crash"} },
	"drop_link":    func() action { return &each{what: "drop_link"} },
	"network_down": func() action { return &each{what: "network_down"} },
	"network_up":   func() action { return &each{what: "network_up"} },
	"sleep":        func() action { return &each{what: "sleep"} },
	"brown_out":    func() action { return &each{what: "brown_out"} },
	"mend":         func() action { return &each{what: "mend"} },
	"hub_away":     func() action { return &each{what: "hub_away"} },
	"hub_back":     func() action { return &each{what: "hub_back"} },
	"press":        func() action { return &press{Times: Range{1, 1}, Chance: 1} },
	"calls":        func() action { return &calls{Burst: Range{1, 1}} },
	"race":         func() action { return &race{Times: 1, Within: 50 * time.Millisecond, Limit: 10 * time.Second} },
	"command":      func() action { return &command{Times: 1} },
	"wait":         func() action { return &wait{Within: 30 * time.Second} },
}

// who says which devices a step or an expectation is about.
type who struct {
	// Who is a group, or "all".
	Who string `yaml:"who"`
	// Pick so many of them, by chance; all if 0.
	Pick int `yaml:"pick"`
}

func (w who) valid(groups map[string]bool) error {
	if w.Who == "" {
		return errors.New("who: want a group, or all")
	}
	if !groups[w.Who] {
		return fmt.Errorf("who %q: there is no such group", w.Who)
	}
	if w.Pick < 0 {
		return fmt.Errorf("pick %d: want 1 or more", w.Pick)
	}
	return nil
}

// each does one thing to each of some devices, at times that are spread.
type each struct {
	what string
	who  `yaml:",inline"`
	// Spread: each device at its own moment within this time.
	Spread time.Duration `yaml:"spread"`
	// Away is how long a crash takes.
	Away time.Duration `yaml:"away"`
}

func (e *each) start(ctx context.Context, r *run) error {
	chance := r.chance(e.what)
	for _, d := range r.pick(e.who, chance) {
		r.after(ctx, spread(chance, e.Spread), func() {
			switch e.what {
			case "connect":
				d.PowerOn()
			case "power_off":
				d.PowerOff()
			case "crash":
				d.Crash(e.Away)
			case "drop_link":
				d.DropLink()
			case "network_down":
				d.Network(false)
			case "network_up":
				d.Network(true)
			case "sleep":
				d.Sleep()
			case "brown_out":
				d.BrownOut(e.Away)
			case "mend":
				d.Mend()
			case "hub_away":
				d.Hub(false)
			case "hub_back":
				d.Hub(true)
			}
		})
	}
	return nil
}

func spread(chance *rand.Rand, within time.Duration) time.Duration {
	if within <= 0 {
		return 0
	}
	return time.Duration(chance.Int64N(int64(within)))
}

// press has guests press buttons.
type press struct {
	who `yaml:",inline"`
	// Spread: each guest begins at his own moment within this time.
	Spread time.Duration `yaml:"spread"`
	// Times that each presses, and Every how long.
	Times Range `yaml:"times"`
	Every Span  `yaml:"every"`
	// Chance that a guest presses at all.
	Chance   float64         `yaml:"chance"`
	Type     fleet.PressType `yaml:"type"`
	Priority fleet.Priority  `yaml:"priority"`
}

func (p *press) valid(groups map[string]bool) error {
	if p.Type != "" {
		if _, err := fleet.ParsePressType(string(p.Type)); err != nil {
			return err
		}
	}
	if p.Priority != "" {
		if _, err := fleet.ParsePriority(string(p.Priority)); err != nil {
			return err
		}
	}
	return p.who.valid(groups)
}

func (p *press) start(ctx context.Context, r *run) error {
	chance := r.chance("press")
	for _, d := range r.pick(p.who, chance) {
		if chance.Float64() >= p.Chance {
			continue
		}
		when := spread(chance, p.Spread)
		for range p.Times.whole(chance) {
			r.after(ctx, when, func() { d.Press(device.PressKind{Type: p.Type, Priority: p.Priority}) })
			when += p.Every.Draw(chance)
		}
	}
	return nil
}

// calls has guests call now and then, until the run ends.
type calls struct {
	who `yaml:",inline"`
	// Rate is how many guests call in a minute.
	Rate float64 `yaml:"rate"`
	// Burst is how often an impatient guest presses; one in four is impatient.
	Burst Range `yaml:"burst"`
	// Urgent and Emergency are the chances of these priorities.
	Urgent    float64 `yaml:"urgent"`
	Emergency float64 `yaml:"emergency"`
}

func (c *calls) valid(groups map[string]bool) error {
	if c.Rate <= 0 {
		return fmt.Errorf("rate %g: want calls in a minute, more than 0", c.Rate)
	}
	return c.who.valid(groups)
}

func (c *calls) start(ctx context.Context, r *run) error {
	chance := r.chance("calls")
	guests := r.pick(c.who, chance)
	rate := c.Rate
	if r.c.Rate > 0 {
		rate = r.c.Rate
	}
	r.begin(func() {
		for len(guests) > 0 {
			pause := time.Duration(chance.ExpFloat64() * float64(time.Minute) / rate)
			if r.clock.Sleep(ctx, pause) != nil {
				return
			}
			d := guests[chance.IntN(len(guests))]
			k := device.PressKind{Type: fleet.PressSingle}
			switch x := chance.Float64(); {
			case x < c.Emergency:
				k = device.PressKind{Type: fleet.PressLong, Priority: fleet.Emergency, Duration: 3 * time.Second}
			case x < c.Emergency+c.Urgent:
				k = device.PressKind{Type: fleet.PressDouble, Priority: fleet.Urgent}
			}
			times := 1
			if chance.IntN(4) == 0 {
				times = c.Burst.whole(chance)
			}
			for i := range times {
				r.after(ctx, time.Duration(i)*1200*time.Millisecond, func() { d.Press(k) })
			}
		}
	})
	return nil
}

// command has somebody send commands over REST.
type command struct {
	who  `yaml:",inline"`
	Name string         `yaml:"name"`
	Args map[string]any `yaml:"args"`
	// TTL is in real time; the hub's default if 0.
	TTL   time.Duration `yaml:"ttl"`
	Times int           `yaml:"times"`
	// Every: until the run ends, one of the devices each so long.
	Every Span `yaml:"every"`
}

func (c *command) valid(groups map[string]bool) error {
	if err := fleet.CheckCommand("any", c.Name, nil, time.Minute); err != nil {
		return err
	}
	return c.who.valid(groups)
}

func (c *command) start(ctx context.Context, r *run) error {
	chance := r.chance("command")
	devices := r.pick(c.who, chance)
	if c.Every.Most > 0 {
		r.begin(func() {
			for len(devices) > 0 && r.clock.Sleep(ctx, c.Every.Draw(chance)) == nil {
				if err := r.command(ctx, devices[chance.IntN(len(devices))].ID(), c); err != nil && ctx.Err() == nil {
					r.c.Logger.Warn("command not sent", "error", err)
				}
			}
		})
		return nil
	}
	for _, d := range devices {
		for range c.Times {
			if err := r.command(ctx, d.ID(), c); err != nil {
				return err
			}
		}
	}
	return nil
}
