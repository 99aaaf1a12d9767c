package device

import (
	"encoding/json"
	"math"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Dialect is how a firmware writes its payloads.
type Dialect string

// The dialects.
const (
	// Seed: snake_case, times in ISO 8601, signal_strength in dBm.
	Seed Dialect = "seed"
	// Camel: camelCase, times in milliseconds since 1970, signal in per cent.
	Camel Dialect = "camel"
)

// TimeSource is where a firmware's timestamps come from.
type TimeSource string

// The time sources.
const (
	// Wall: the device knows the time.
	Wall TimeSource = "wall"
	// SinceBoot: it counts milliseconds since it started.
	SinceBoot TimeSource = "boot"
	// NoTime: its messages have no timestamp.
	NoTime TimeSource = "none"
)

// writer writes the payloads of one device in its dialect.
type writer struct {
	dialect Dialect
	time    TimeSource
	id      fleet.DeviceID
}

// reading is what a device measures of itself.
type reading struct {
	battery int // per cent
	signal  int // dBm
	uptime  time.Duration
}

// word picks a field's name.
func (w writer) word(seed, camel string) string {
	if w.dialect == Camel {
		return camel
	}
	return seed
}

// begin starts a payload with what every payload has. at is the time that the
// device believes in, up is its time since boot.
func (w writer) begin(at time.Time, up time.Duration) map[string]any {
	p := map[string]any{w.word("device_id", "deviceId"): w.id}
	switch {
	case w.time == NoTime:
	case w.time == SinceBoot:
		p["timestamp"] = up.Milliseconds()
	case w.dialect == Camel:
		p["timestamp"] = at.UnixMilli()
	default:
		p["timestamp"] = at.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	return p
}

func (w writer) body(p map[string]any, r reading) {
	p[w.word("battery", "batteryLevel")] = r.battery
	if w.dialect == Camel {
		p["signal"] = signalPercent(r.signal)
	} else {
		p["signal_strength"] = r.signal
	}
}

// signalPercent puts the usual range of -100 to -50 dBm on 0 to 100.
func signalPercent(dbm int) int { return min(100, max(0, 2*(dbm+100))) }

// status is the retained word on how the device is. config is the version of
// the settings that it has, from which the hub sees whether they are those wanted.
func (w writer) status(at time.Time, r reading, firmware, bootID, resetReason string, config uint64) []byte {
	p := w.begin(at, r.uptime)
	w.body(p, r)
	p["online"] = true
	p[w.word("firmware_version", "firmwareVersion")] = firmware
	p[w.word("config_version", "configVersion")] = config
	if bootID != "" {
		p[w.word("boot_id", "bootId")] = bootID
	}
	if resetReason != "" {
		p[w.word("reset_reason", "resetReason")] = resetReason
	}
	return encode(p)
}

// gone is the last will, and what a device says before it goes to sleep.
func (w writer) gone() []byte {
	return encode(map[string]any{w.word("device_id", "deviceId"): w.id, "online": false})
}

func (w writer) heartbeat(at time.Time, r reading) []byte {
	p := w.begin(at, r.uptime)
	w.body(p, r)
	if w.dialect == Camel {
		p["uptimeMs"] = r.uptime.Milliseconds()
	} else {
		p["uptime_s"] = int64(r.uptime.Seconds())
	}
	return encode(p)
}

func (w writer) press(p Press, at time.Time, up time.Duration) []byte {
	m := w.begin(at, up)
	m[w.word("press_type", "pressType")] = p.Type
	m[w.word("sequence_id", "sequenceId")] = p.Sequence
	if p.Duration > 0 {
		m["duration"] = p.Duration.Milliseconds()
	}
	if p.BootID != "" {
		m[w.word("boot_id", "bootId")] = p.BootID
	}
	if p.Priority != "" && p.Priority != fleet.Normal {
		m["priority"] = p.Priority
	}
	return encode(m)
}

func (w writer) ack(id fleet.CommandID, a Answer) []byte {
	p := map[string]any{w.word("command_id", "commandId"): id, "status": a.State}
	if a.Error != "" {
		p["error"] = a.Error
	}
	if len(a.Result) > 0 {
		p["result"] = a.Result
	}
	return encode(p)
}

func (w writer) action(action string, version uint64) []byte {
	return encode(map[string]any{"action": action, "version": version})
}

// sample is one set of numbers.
type sample struct {
	at     time.Time
	up     time.Duration
	values map[string]float64 // named as the seed dialect does
}

// metrics writes one sample as an object, several as an array.
func (w writer) metrics(samples []sample) []byte {
	all := make([]map[string]any, len(samples))
	for i, s := range samples {
		p := w.begin(s.at, s.up)
		for name, v := range s.values {
			if w.dialect == Camel {
				name = camel(name)
			}
			p[name] = math.Round(v*100) / 100
		}
		all[i] = p
	}
	if len(all) == 1 {
		return encode(all[0])
	}
	return encode(all)
}

// camel turns co2_ppm into co2Ppm.
func camel(s string) string {
	out := make([]byte, 0, len(s))
	up := false
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '_':
			up = true
			continue
		case up && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		up = false
		out = append(out, c)
	}
	return string(out)
}

// encode writes JSON; the payloads above hold nothing that JSON cannot.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("device: payload: " + err.Error())
	}
	return b
}
