package scenario

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/obedio/obedio/firmware-sim/internal/device"
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

	// Of watches: who wears them. A watch without reaction is worn by nobody.
	Reaction  Span     `yaml:"reaction"`
	Work      Span     `yaml:"work"`
	Attention *float64 `yaml:"attention"`
	AtOnce    int      `yaml:"at_once"`

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
		}
		if g.Battery.Most > 0 {
			c.Battery = between(device.Chance(seed, string(id), "battery"), g.Battery)
		}
		if g.worn {
			c.Wearer = &device.Wearer{Attention: 1, Reaction: g.Reaction.Span, Work: g.Work.Span, AtOnce: g.AtOnce}
			if g.Attention != nil {
				c.Wearer.Attention = *g.Attention
			}
		}
		all[i] = planned{group: g.Group, config: c, room: fleet.RoomID(numbered(turn(g.Rooms, i), i+1))}
	}
	return all
}

func between(r *rand.Rand, of Range) float64 { return of.Least + (of.Most-of.Least)*r.Float64() }

// whole picks a whole number of the range.
func (r Range) whole(c *rand.Rand) int {
	return int(r.Least) + c.IntN(int(r.Most)-int(r.Least)+1)
}
