package device

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/fleet"
)

func fields(t *testing.T, payload []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(payload, &m); err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	return m
}

func TestDialect_WritesEachPayloadInItsWords(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 250e6, time.UTC)
	r := reading{battery: 0, signal: -70, uptime: 90 * time.Second}
	press := Press{BootID: "b1", Sequence: 7, Type: fleet.PressLong, Priority: fleet.Emergency, Duration: 3 * time.Second}
	seed := writer{Seed, Wall, "btn-1"}
	camel := writer{Camel, Wall, "btn-1"}
	for name, c := range map[string]struct {
		got  []byte
		want map[string]any
	}{
		"seed status": {seed.status(at, r, "1.0", "b1", "power_on", 3), map[string]any{
			"timestamp": "2026-11-23T08:00:00.250Z", "device_id": "btn-1", "online": true, "battery": 0.0, "signal_strength": -70.0,
			"firmware_version": "1.0", "config_version": 3.0, "boot_id": "b1", "reset_reason": "power_on",
		}},
		"camel status": {camel.status(at, r, "1.0", "", "", 0), map[string]any{
			"timestamp": float64(at.UnixMilli()), "deviceId": "btn-1", "online": true, "batteryLevel": 0.0, "signal": 60.0, "firmwareVersion": "1.0", "configVersion": 0.0,
		}},
		"seed heartbeat": {seed.heartbeat(at, r), map[string]any{
			"timestamp": "2026-11-23T08:00:00.250Z", "device_id": "btn-1", "battery": 0.0, "signal_strength": -70.0, "uptime_s": 90.0,
		}},
		"camel heartbeat": {camel.heartbeat(at, r), map[string]any{
			"timestamp": float64(at.UnixMilli()), "deviceId": "btn-1", "batteryLevel": 0.0, "signal": 60.0, "uptimeMs": 90000.0,
		}},
		"seed press": {seed.press(press, at, 0), map[string]any{
			"timestamp": "2026-11-23T08:00:00.250Z", "device_id": "btn-1", "press_type": "long", "sequence_id": 7.0, "boot_id": "b1",
			"duration": 3000.0, "priority": "emergency",
		}},
		"camel press": {camel.press(Press{Sequence: 1, Type: fleet.PressSingle}, at, 0), map[string]any{
			"timestamp": float64(at.UnixMilli()), "deviceId": "btn-1", "pressType": "single", "sequenceId": 1.0,
		}},
		"press by a clock that counts from boot": {writer{Seed, SinceBoot, "btn-1"}.press(Press{Sequence: 1, Type: fleet.PressSingle}, at, 5*time.Second), map[string]any{
			"timestamp": 5000.0, "device_id": "btn-1", "press_type": "single", "sequence_id": 1.0,
		}},
		"press without a clock": {writer{Seed, NoTime, "btn-1"}.press(Press{Sequence: 1, Type: fleet.PressSingle}, at, 0), map[string]any{
			"device_id": "btn-1", "press_type": "single", "sequence_id": 1.0,
		}},
		"seed ack": {seed.ack("c-1", Answer{State: fleet.CommandFailed, Error: "no"}), map[string]any{
			"command_id": "c-1", "status": "failed", "error": "no",
		}},
		"camel ack": {camel.ack("c-1", Answer{State: fleet.CommandSucceeded, Result: []byte(`{"n":1}`)}), map[string]any{
			"commandId": "c-1", "status": "succeeded", "result": map[string]any{"n": 1.0},
		}},
		"will": {seed.gone(), map[string]any{"device_id": "btn-1", "online": false}},
		"one sample": {camel.metrics([]sample{{at: at, values: map[string]float64{"co2_ppm": 500.129}}}), map[string]any{
			"timestamp": float64(at.UnixMilli()), "deviceId": "btn-1", "co2Ppm": 500.13,
		}},
	} {
		if diff := cmp.Diff(c.want, fields(t, c.got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	var batch []any
	if err := json.Unmarshal(seed.metrics(make([]sample, 2)), &batch); err != nil || len(batch) != 2 {
		t.Errorf("batch: %v %v", batch, err)
	}
}

func TestDialect_SignalIsAPercentageOfTheUsualRange(t *testing.T) {
	for dbm, want := range map[int]int{-120: 0, -100: 0, -75: 50, -50: 100, -20: 100} {
		if got := signalPercent(dbm); got != want {
			t.Errorf("%d dBm is %d %%, want %d", dbm, got, want)
		}
	}
}

func TestChance_IsTheSameForTheSameSeedAndNames(t *testing.T) {
	a, b, other := Chance(1, "btn-1", "radio"), Chance(1, "btn-1", "radio"), Chance(2, "btn-1", "radio")
	same := 0
	for range 100 {
		x := a.Uint64()
		if x != b.Uint64() {
			t.Fatal("two streams of one seed differ")
		}
		if x == other.Uint64() {
			same++
		}
	}
	if same > 0 {
		t.Fatal("streams of two seeds are alike")
	}
}

func TestSpan_IsReadAndDrawnFrom(t *testing.T) {
	s, err := ParseSpan("2s..8s")
	if err != nil || s != (Span{2 * time.Second, 8 * time.Second}) || s.String() != "2s..8s" {
		t.Fatalf("%v %v", s, err)
	}
	r := Chance(1, "span")
	for range 1000 {
		if d := s.Draw(r); d < s.Least || d > s.Most {
			t.Fatalf("drew %s", d)
		}
	}
	for _, wrong := range []string{"", "x", "8s..2s", "-1s", "1s..", "1s..2s..3s"} {
		if _, err := ParseSpan(wrong); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}
