package scenario

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/shared/fleet"
)

// Group is a number of devices that are alike. Where a field is a list, the
// devices of the group take its entries in turn.
type Group struct {
	// Group is the name that steps and expectations use; the type by default.
	Group string           `yaml:"group"`
	Type  fleet.DeviceType `yaml:"type"`
	Count int              `yaml:"count"`
	// ID, Rooms and Names may have a %d for the number of the device, from 1.
	ID    string `yaml:"id"`
	Rooms List   `yaml:"rooms"`
	Names List   `yaml:"names"`

	Dialect   List `yaml:"dialect"`   // seed, camel
	BootIDs   List `yaml:"boot_ids"`  // yes, no
	Counter   List `yaml:"counter"`   // restarts, kept
	Time      List `yaml:"time"`      // wall, boot, none
	MQTT      List `yaml:"mqtt"`      // 3.1.1, 5
	Transport List `yaml:"transport"` // tcp, ws
	Firmware  List `yaml:"firmware"`

	Heartbeat  time.Duration `yaml:"heartbeat"`
	Metrics    time.Duration `yaml:"metrics"`
	Batch      int           `yaml:"batch"`
	Backoff    Span          `yaml:"backoff"`
	Resend     Span          `yaml:"resend"`
	Battery    Range         `yaml:"battery"`
	Drain      float64       `yaml:"drain"` // per cent an hour
	Duplicates float64       `yaml:"duplicates"`
	Deafness   float64       `yaml:"deafness"`
	Failures   float64       `yaml:"failures"` // of commands
	Outbox     int           `yaml:"outbox"`

	// ReportsEvery is how often the devices report, and what the hub expects: the
	// simulator makes a security profile with that interval.
	ReportsEvery time.Duration `yaml:"reports_every"`
	// Via is a group of repeaters: the devices speak through them, in turn.
	Via string `yaml:"via"`

	// What devices of a real site are like; see device.Config.
	SleepAfter     time.Duration `yaml:"sleep_after"`
	WakeDelay      Span          `yaml:"wake_delay"`
	DozeAfter      Span          `yaml:"doze_after"`
	DozeFor        Span          `yaml:"doze_for"`
	BrownOutBelow  float64       `yaml:"brown_out_below"` // per cent of the battery
	BrownOuts      float64       `yaml:"brown_outs"`
	StuckEvery     Span          `yaml:"stuck_every"`
	Bounces        Range         `yaml:"bounces"`
	Impatience     Range         `yaml:"impatience"` // presses more
	ImpatientEvery Span          `yaml:"impatient_every"`
	Dup            float64       `yaml:"dup"`
	Hearing        List          `yaml:"hearing"` // well, unsubscribed, unanswering
	Clock          List          `yaml:"clock"`   // right, zero, future, drifts
	ClockDrift     float64       `yaml:"clock_drift"`
	AnswerAfter    Span          `yaml:"answer_after"`
	AnswersTwice   bool          `yaml:"answers_twice"`
	StrayAnswers   bool          `yaml:"stray_answers"`

	// Duty, of watches with names: the hub is told that people of these names wear
	// them, and are on duty or its backup.
	Duty string `yaml:"duty"` // duty, backup
	// Of watches: who wears them. A watch without reaction is worn by nobody.
	Reaction    Span     `yaml:"reaction"`
	Work        Span     `yaml:"work"`
	Attention   *float64 `yaml:"attention"`
	AtOnce      int      `yaml:"at_once"`
	LateAccepts float64  `yaml:"late_accepts"`

	worn bool
}

var idPatterns = map[fleet.DeviceType]string{
	fleet.Button: "btn-%03d", fleet.Watch: "watch-%02d", fleet.Repeater: "rpt-%02d", fleet.Sensor: "sns-%03d",
}

var roomPatterns = map[fleet.DeviceType]string{
	fleet.Button: "cabin-1%02d", fleet.Watch: "crew-mess", fleet.Repeater: "deck-%d", fleet.Sensor: "cabin-1%02d",
}

func (g *Group) parse(n *yaml.Node) error {
	if err := strict(n, g); err != nil {
		return err
	}
	if _, err := fleet.ParseDeviceType(string(g.Type)); err != nil {
		return at(n, "%s", err)
	}
	if g.Group == "" {
		g.Group = string(g.Type)
	}
	if g.Count == 0 {
		g.Count = 1
	}
	if g.ID == "" {
		g.ID = idPatterns[g.Type]
	}
	if len(g.Rooms) == 0 {
		g.Rooms = List{roomPatterns[g.Type]}
	}
	g.worn = value(n, "reaction") != nil
	for _, w := range []struct {
		key   string
		words List
		want  []string
	}{
		{"dialect", g.Dialect, []string{string(device.Seed), string(device.Camel)}},
		{"boot_ids", g.BootIDs, []string{"yes", "no"}},
		{"counter", g.Counter, []string{"restarts", "kept"}},
		{"time", g.Time, []string{string(device.Wall), string(device.SinceBoot), string(device.NoTime)}},
		{"mqtt", g.MQTT, []string{string(device.MQTT311), string(device.MQTT5)}},
		{"transport", g.Transport, []string{string(device.TCP), string(device.WebSocket)}},
		{"hearing", g.Hearing, []string{string(device.HearsWell), string(device.Unsubscribed), string(device.Unanswering)}},
		{"clock", g.Clock, []string{string(device.ClockRight), string(device.ClockZero), string(device.ClockFuture), string(device.ClockDrifts)}},
	} {
		for _, word := range w.words {
			if !slices.Contains(w.want, word) {
				return at(value(n, w.key), "%s: %q: want one of %s", w.key, word, strings.Join(w.want, ", "))
			}
		}
	}
	switch {
	case g.Count < 0 || g.Count > 5000:
		return at(n, "count %d: want 1 to 5000", g.Count)
	case g.worn && g.Type != fleet.Watch:
		return at(n, "reaction: only a watch is worn")
	case g.Dup > 0 && slices.Contains(g.MQTT, string(device.MQTT5)):
		return at(value(n, "dup"), "dup: a client of MQTT 5 must not send again on the same connection")
	case g.Type != fleet.Button && value(n, "stuck_every") != nil:
		return at(value(n, "stuck_every"), "stuck_every: only a button sticks")
	case g.Type != fleet.Watch && value(n, "doze_for") != nil:
		return at(value(n, "doze_for"), "doze_for: only a watch dozes; the others sleep_after a while")
	case g.Duty != "" && g.Duty != "duty" && g.Duty != "backup":
		return at(value(n, "duty"), "duty %q: want duty or backup", g.Duty)
	case g.Duty != "" && (g.Type != fleet.Watch || len(g.Names) == 0):
		return at(value(n, "duty"), "duty: only people have one: want watches with names")
	case g.ReportsEvery < 0 || g.SleepAfter < 0:
		return at(n, "reports_every, sleep_after: want more than 0")
	case g.ReportsEvery > 0 && g.Heartbeat > 0:
		return at(value(n, "heartbeat"), "heartbeat: reports_every says it already")
	case g.Count > 1 && !strings.Contains(g.ID, "%"):
		return at(n, "id %q: want a %%d in it, as there are %d devices", g.ID, g.Count)
	}
	return nil
}

// turn is the entry of a list for the i-th device.
func turn(l List, i int) string {
	if len(l) == 0 {
		return ""
	}
	return l[i%len(l)]
}

// numbered puts the number of a device into a pattern.
func numbered(pattern string, number int) string {
	if strings.Contains(pattern, "%") {
		return fmt.Sprintf(pattern, number)
	}
	return pattern
}

// planned is one device before it is registered.
type planned struct {
	group  string
	config device.Config
	room   fleet.RoomID
	// via is the repeater that it speaks through.
	via fleet.DeviceID
	// reports is ReportsEvery.
	reports time.Duration
	// profile is its security profile; that of its type if empty.
	profile string
	// duty of whoever wears it; empty when the hub is not told.
	duty string
}

// plan is what the group's devices are. chance decides what the script leaves
// open.
func (g *Group) plan(prefix string, seed uint64) []planned {
	all := make([]planned, g.Count)
	for i := range all {
		id := fleet.DeviceID(prefix + numbered(g.ID, i+1))
		c := device.Config{
			ID: id, Type: g.Type, Name: numbered(turn(g.Names, i), i+1), Seed: seed,
			Dialect: device.Dialect(turn(g.Dialect, i)), BootIDs: turn(g.BootIDs, i) != "no", KeepsCounter: turn(g.Counter, i) == "kept",
			Time: device.TimeSource(turn(g.Time, i)), MQTT: device.Version(turn(g.MQTT, i)),
			Transport: device.Transport(turn(g.Transport, i)), Firmware: turn(g.Firmware, i),
			Heartbeat: g.Heartbeat, Metrics: g.Metrics, Batch: g.Batch, Duplicates: g.Duplicates, Outbox: g.Outbox,
			CommandFailures: g.Failures, Deafness: g.Deafness, Drain: g.Drain, BackoffFirst: g.Backoff.Least, BackoffMost: g.Backoff.Most,
			ResendFirst: g.Resend.Least, ResendMost: g.Resend.Most,
			SleepAfter: g.SleepAfter, WakeDelay: g.WakeDelay.Span, DozeAfter: g.DozeAfter.Span, DozeFor: g.DozeFor.Span,
			BrownOutBelow: g.BrownOutBelow, BrownOuts: g.BrownOuts, StuckEvery: g.StuckEvery.Span, Bounces: g.Bounces.amount(),
			Impatience: g.Impatience.amount(), ImpatientEvery: g.ImpatientEvery.Span, Dup: g.Dup, Hearing: device.Hearing(turn(g.Hearing, i)),
			ClockFault: device.ClockFault(turn(g.Clock, i)), ClockDrift: g.ClockDrift,
			AnswerAfter: g.AnswerAfter.Span, AnswersTwice: g.AnswersTwice, StrayAnswers: g.StrayAnswers,
		}
		if g.ReportsEvery > 0 {
			c.Heartbeat = g.ReportsEvery
		}
		if g.Battery.Most > 0 {
			c.Battery = between(device.Chance(seed, string(id), "battery"), g.Battery)
		}
		if g.worn {
			c.Wearer = &device.Wearer{Attention: 1, Reaction: g.Reaction.Span, Work: g.Work.Span, AtOnce: g.AtOnce, LateAccepts: g.LateAccepts}
			if g.Attention != nil {
				c.Wearer.Attention = *g.Attention
			}
		}
		all[i] = planned{group: g.Group, config: c, room: fleet.RoomID(numbered(turn(g.Rooms, i), i+1)), reports: g.ReportsEvery, duty: g.Duty}
	}
	return all
}

// plan is what the script's devices are, and the security profiles that they
// need: those of repeaters name their children, and those of devices that report
// at an interval of their own say so. speed is of simulated time; the hub's time
// is real.
func (s *Script) plan(prefix string, seed uint64, speed float64) (all []planned, profiles []hubapi.Profile) {
	children := map[fleet.DeviceID][]fleet.DeviceID{}
	for i := range s.Groups {
		all = append(all, s.Groups[i].plan(prefix, seed)...)
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		if g.Via == "" {
			continue
		}
		var repeaters []fleet.DeviceID
		for _, p := range all {
			if p.group == g.Via {
				repeaters = append(repeaters, p.config.ID)
			}
		}
		n := 0
		for j := range all {
			if all[j].group == g.Group {
				all[j].via = repeaters[n%len(repeaters)]
				children[all[j].via] = append(children[all[j].via], all[j].config.ID)
				n++
			}
		}
	}
	made := map[string]bool{}
	for i := range all {
		p := &all[i]
		profile := hubapi.Profile{Relay: children[p.config.ID]}
		if p.reports > 0 {
			profile.ReportingInterval = max(shortestReport, int(math.Ceil(p.reports.Seconds()/max(speed, 1e-3))))
		}
		switch {
		case len(profile.Relay) > 0:
			p.profile = fmt.Sprintf("sim-relay-%s", p.config.ID)
		case profile.ReportingInterval > 0:
			p.profile = fmt.Sprintf("sim-reports-%ds", profile.ReportingInterval)
		default:
			continue
		}
		if profile.Name = p.profile; !made[p.profile] {
			made[p.profile] = true
			profiles = append(profiles, profile)
		}
	}
	return all, profiles
}

// amount is a range of whole numbers.
func (r Range) amount() device.Amount { return device.Amount{Least: int(r.Least), Most: int(r.Most)} }

func between(r *rand.Rand, of Range) float64 { return of.Least + (of.Most-of.Least)*r.Float64() }

// whole picks a whole number of the range.
func (r Range) whole(c *rand.Rand) int {
	return int(r.Least) + c.IntN(int(r.Most)-int(r.Least)+1)
}

// shortestReport is the shortest reporting interval that a hub takes, in seconds.
const shortestReport = 5
