package dialect_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/shared/fleet"
)

const limit = 64 << 10

func telemetry(t *testing.T, payload string) (dialect.Telemetry, []string) {
	t.Helper()
	f, err := dialect.Decode([]byte(payload), limit)
	if err != nil {
		t.Fatal(err)
	}
	v, err := dialect.ReadTelemetry(f, "btn-1")
	if err != nil {
		t.Fatal(err)
	}
	return v, f.Issues
}

func TestReadTelemetry_BothDialectsSayTheSame(t *testing.T) {
	at := time.Date(2025, 8, 16, 12, 0, 0, 0, time.UTC)
	battery, signal, up := 85, -45, int64(60)
	want := dialect.Telemetry{At: at, Battery: &battery, Signal: &signal, Firmware: "1.2.3", BootID: "b1", UptimeS: &up}
	for _, payload := range []string{
		`{"timestamp":"2025-08-16T12:00:00Z","device_id":"btn-1","battery":85,"signal_strength":-45,"firmware_version":"1.2.3","boot_id":"b1","uptime_s":60}`,
		`{"timestamp":1755345600000,"deviceId":"btn-1","batteryLevel":85,"rssi":-45,"firmwareVersion":"1.2.3","bootId":"b1","uptimeMs":60500}`,
		`{"ts":1755345600,"deviceID":"btn-1","battery":85.2,"rssiDbm":-45.4,"firmware":"1.2.3","bootID":"b1","uptime":60}`,
		`{"time":"2025-08-16T14:00:00+02:00","battery":85,"signalStrength":-45,"fwVersion":"1.2.3","boot_id":"b1","uptimeS":60,"unknown":{"kept":[1]}}`,
	} {
		got, issues := telemetry(t, payload)
		if d := cmp.Diff(want, got); d != "" || len(issues) > 0 {
			t.Errorf("%s\n(-want +got):\n%s%v", payload, d, issues)
		}
	}
}

func TestReadTelemetry_ZeroBatteryIsAValue(t *testing.T) {
	if v, _ := telemetry(t, `{"battery":0}`); v.Battery == nil || *v.Battery != 0 {
		t.Errorf("battery %v", v.Battery)
	}
	if v, _ := telemetry(t, `{"battery":null}`); v.Battery != nil {
		t.Errorf("battery %d", *v.Battery)
	}
}

func TestReadTelemetry_WrongTypesAreReportedAndTheRestIsTaken(t *testing.T) {
	v, issues := telemetry(t, `{"battery":"85","signal":180,"firmware_version":["x"],"online":"yes","uptime_s":-4,"boot_id":"a/b"}`)
	if v.Battery == nil || *v.Battery != 85 {
		t.Errorf("battery %v", v.Battery)
	}
	if v.Signal != nil || v.Firmware != "" || v.Online != nil || v.UptimeS != nil || v.BootID != "" {
		t.Errorf("took %+v", v)
	}
	if len(issues) != 5 {
		t.Errorf("issues: %q", issues)
	}
}

func TestReadTelemetry_SignalInPerCentBecomesDBm(t *testing.T) {
	for payload, want := range map[string]int{`{"signal":100}`: -50, `{"signal":0}`: -100, `{"signal":60}`: -70, `{"rssi":-61}`: -61} {
		if v, _ := telemetry(t, payload); v.Signal == nil || *v.Signal != want {
			t.Errorf("%s: %v", payload, v.Signal)
		}
	}
}

func TestReadTelemetry_TimeSinceBootIsNoTime(t *testing.T) {
	if v, issues := telemetry(t, `{"timestamp":734512}`); !v.At.IsZero() || len(issues) > 0 {
		t.Errorf("%s %v", v.At, issues)
	}
}

func TestReadPress_PressThatCanBeAnsweredIsTakenWhateverElseIsWrong(t *testing.T) {
	f, err := dialect.Decode([]byte(`{"pressType":"triple","sequenceId":18446744073709551615,"priority":7}`), limit)
	if err != nil {
		t.Fatal(err)
	}
	p, err := dialect.ReadPress(f, "btn-1")
	if err != nil || p.Type != fleet.PressSingle || p.Priority != fleet.Normal || p.SequenceID != 1<<64-1 {
		t.Errorf("%+v, %v", p, err)
	}
	if len(f.Issues) != 2 {
		t.Errorf("issues: %q", f.Issues)
	}
	for _, bad := range []string{`{}`, `{"sequence_id":"x"}`, `{"sequence_id":-1}`, `{"sequence_id":1.5}`, `{"sequence_id":1,"device_id":"btn-2"}`} {
		f, err := dialect.Decode([]byte(bad), limit)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dialect.ReadPress(f, "btn-1"); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestDecode_TakesCompressedPayloadsWithinTheLimit(t *testing.T) {
	plain := []byte(`{"battery":85,"pad":"` + strings.Repeat("x", 1000) + `"}`)
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, payload := range map[string][]byte{"gzip": gz.Bytes(), "zstd": enc.EncodeAll(plain, nil), "plain": plain} {
		if _, err := dialect.Decode(payload, len(plain)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := dialect.Decode(payload, len(plain)-1); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s beyond the limit: %v", name, err)
		}
	}
	bomb := enc.EncodeAll(make([]byte, 8<<20), nil)
	if _, err := dialect.Decode(bomb, limit); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("bomb: %v", err)
	}
}

func TestDecode_WhatIsNoObjectIsAnError(t *testing.T) {
	for _, bad := range []string{``, `{`, `[]`, `"x"`, `1`, `null`, `{} {}`, "\xff"} {
		if _, err := dialect.Decode([]byte(bad), limit); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if batch, err := dialect.DecodeBatch([]byte(`[{"t":1},{"t":2}]`), limit); err != nil || len(batch) != 2 {
		t.Errorf("batch: %d, %v", len(batch), err)
	}
	if _, err := dialect.DecodeBatch([]byte(`[1]`), limit); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("batch of numbers: %v", err)
	}
}

func TestDecode_LimitsAreNotHiddenInTexts(t *testing.T) {
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	if _, err := dialect.Decode([]byte(`{"pad":"`+strings.Repeat("]", 5000)+`","result":`+deep+`}`), limit); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("nested: %v", err)
	}
	if _, err := dialect.Decode([]byte(`{"pad":"\"[[`+strings.Repeat("[", 5000)+`"}`), limit); err != nil {
		t.Errorf("brackets in a text: %v", err)
	}
	if _, err := dialect.DecodeBatch([]byte("["+strings.Repeat("{},", 2000)+"{}]"), limit); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("many entries: %v", err)
	}
}
