package dialect

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/obedio/obedio/shared/fleet"
)

// Telemetry is what a status or heartbeat tells; what it does not tell is nil
// or empty.
type Telemetry struct {
	At          time.Time
	Online      *bool
	Battery     *int // per cent; 0 is a value
	Signal      *int // dBm
	Firmware    string
	BootID      string
	ResetReason string
	UptimeS     *int64
	// Config is the version of the configuration that the device has; nil when it
	// does not say.
	Config *uint64
}

// ReadTelemetry reads a status or heartbeat of a device.
func ReadTelemetry(f *Fields, device fleet.DeviceID) (Telemetry, error) {
	if err := f.speaksFor(device); err != nil {
		return Telemetry{}, err
	}
	t := Telemetry{
		At: f.when("timestamp", "time", "ts"), Battery: f.percent("battery", "battery_level", "battery_percentage"),
		Signal: f.signal(), Firmware: f.text("firmware_version", "firmware", "fw_version"),
		BootID: bootID(f), ResetReason: f.text("reset_reason"),
	}
	if v, ok := f.first("online", "connected"); ok {
		if v.kind == gjson.True || v.kind == gjson.False {
			on := v.kind == gjson.True
			t.Online = &on
		} else {
			f.issue(v.name, "want true or false")
		}
	}
	if v, ok := f.count("config_version"); ok {
		t.Config = &v
	}
	if s, ok := f.number("uptime_s", "uptime"); ok && s >= 0 && s < 1e10 {
		whole := int64(s)
		t.UptimeS = &whole
	} else if ms, ok := f.number("uptime_ms"); ok && ms >= 0 && ms < 1e13 {
		whole := int64(ms / 1000)
		t.UptimeS = &whole
	}
	return t, nil
}

// bootID returns a boot_id that can be part of a press's identity.
func bootID(f *Fields) string {
	id := f.text("boot_id")
	if id != "" && !fleet.ValidSegment(id) {
		f.issue("boot_id", "want 1 to %d of A-Z a-z 0-9 . _ -", fleet.MaxSegment)
		return ""
	}
	return id
}

// Press is what a press message tells.
type Press struct {
	At         time.Time
	Type       fleet.PressType
	Priority   fleet.Priority
	Duration   time.Duration
	SequenceID uint64
	BootID     string // empty: the firmware has none
	// Fingerprint tells two messages with one sequence number apart: it is equal
	// for a message that was sent again.
	Fingerprint uint64
}

// ReadPress reads a press. A press whose type or priority cannot be read is a
// single press of normal priority, and an issue: a guest who calls is
// answered. Without a usable sequence_id it has no identity: ErrInvalid.
func ReadPress(f *Fields, device fleet.DeviceID) (Press, error) {
	if err := f.speaksFor(device); err != nil {
		return Press{}, err
	}
	seq, ok := f.count("sequence_id", "sequence", "seq")
	if !ok {
		return Press{}, fmt.Errorf("%w: press without a sequence_id that is a whole number", fleet.ErrInvalid)
	}
	p := Press{
		At: f.when("timestamp", "time", "ts"), SequenceID: seq,
		BootID: strings.Clone(bootID(f)), // it outlives the payload that it is a part of

		Type: fleet.PressSingle, Priority: fleet.Normal,
	}
	if w := f.oneOf([]string{"single", "double", "long", "shake"}, "press_type", "type"); w != "" {
		p.Type = fleet.PressType(w)
	}
	if w := f.oneOf([]string{"normal", "urgent", "emergency"}, "priority"); w != "" {
		p.Priority = fleet.Priority(w)
	}
	if ms, ok := f.number("duration", "duration_ms"); ok && ms >= 0 && ms <= 1e7 {
		p.Duration = time.Duration(ms) * time.Millisecond
	}
	h := fnv.New64a()
	for _, name := range []string{"timestamp", "time", "ts", "press_type", "type", "duration", "duration_ms", "priority", "nonce"} {
		if v, ok := f.get(name); ok {
			_, _ = fmt.Fprintf(h, "%s=%s;", name, v.text)
		}
	}
	p.Fingerprint = h.Sum64()
	return p, nil
}

// Answer is what a device says of a command.
type Answer struct {
	Command fleet.CommandID
	State   fleet.CommandState // acknowledged, succeeded or failed
	Error   string
	Result  json.RawMessage
}

// ReadAnswer reads a device's answer to a command.
func ReadAnswer(f *Fields) (Answer, error) {
	id, err := fleet.ParseUUID[fleet.CommandID]("command_id", f.text("command_id"))
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Command: id, Error: f.text("error")}
	switch w := f.oneOf([]string{"acknowledged", "succeeded", "failed"}, "status", "state"); w {
	case "":
		return Answer{}, fmt.Errorf("%w: answer without a status that is acknowledged, succeeded or failed", fleet.ErrInvalid)
	default:
		a.State = fleet.CommandState(w)
	}
	if v, ok := f.first("result"); ok {
		var b []byte
		if v.kind == gjson.String {
			b, _ = json.Marshal(v.text) // a text can always be written
		} else {
			b = []byte(v.text)
		}
		if len(b) > fleet.MaxArgs {
			f.issue("result", "want JSON of at most %d bytes", fleet.MaxArgs)
		} else {
			a.Result = b
		}
	}
	return a, nil
}

// WatchAction is what the wearer of a watch does with a request.
type WatchAction struct {
	Action  string // accept, decline, complete or delegate
	To      string
	Version uint64
}

// ReadWatchAction reads what a watch says of a request.
func ReadWatchAction(f *Fields) (WatchAction, error) {
	a := WatchAction{Action: f.oneOf([]string{"accept", "decline", "complete", "delegate"}, "action"), To: f.text("to")}
	if a.Action == "" {
		return a, fmt.Errorf("%w: action is none of accept, decline, complete, delegate", fleet.ErrInvalid)
	}
	v, ok := f.count("version")
	if !ok && a.Action != "decline" {
		return a, fmt.Errorf("%w: %s without the version of the request that was shown", fleet.ErrInvalid, a.Action)
	}
	a.Version = v
	return a, nil
}

// Numbers returns the numeric fields of a metrics sample, under their names in
// snake_case; other fields but device_id and the time are issues.
func Numbers(f *Fields) map[string]float64 {
	out := make(map[string]float64, len(f.list))
	for _, v := range f.list {
		switch v.name {
		case "device_id", "timestamp", "time", "ts":
			continue
		}
		if v.kind != gjson.Number {
			f.issue(v.name, "want a number")
			continue
		}
		if x, err := strconv.ParseFloat(v.text, 64); err == nil {
			out[v.name] = x
		}
	}
	return out
}
