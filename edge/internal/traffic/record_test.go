package traffic_test

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/fleet"
)

func TestRecord_AllocatesNothingInTheSteadyState(t *testing.T) {
	b := newBench(t, func(c *traffic.Config) { c.MaxWaiting = 1 << 20 })
	defer func() { b.must(b.r.Close()) }()
	m := b.message(1, "status")
	m.Payload = make([]byte, 200)
	numbers := []traffic.Number{{Name: "battery", Value: 80}}
	for range 2 { // one tail is written while the other fills
		for range 70_000 {
			b.r.Record(m)
		}
		b.r.Observe("btn-001", b.now, numbers)
		b.must(b.r.Flush())
	}
	b.r.Observe("btn-001", b.now, numbers)
	if n := testing.AllocsPerRun(60_000, func() {
		b.r.Record(m)
		b.r.Observe("btn-001", b.now, numbers)
	}); n >= 1 {
		t.Errorf("%v allocations a message", n)
	}
}

func TestRecord_PayloadsOnlyOfTypesThatWereNamed(t *testing.T) {
	for name, c := range map[string]struct {
		payloads             []fleet.DeviceType
		button, watch, large string
	}{
		"by default":               {},
		"all but what people wear": {payloads: []fleet.DeviceType{"all"}, button: "hi", large: "0123456789"},
		"watches when named":       {payloads: []fleet.DeviceType{fleet.Watch}, watch: "hi"},
	} {
		b := newBench(t, func(tc *traffic.Config) { tc.Payloads, tc.PayloadBytes = c.payloads, 10 })
		m := b.message(1, "press")
		m.Payload = []byte("hi")
		b.r.Record(m)
		m = b.message(2, "press")
		m.Payload = []byte("0123456789abc")
		b.r.Record(m)
		w := b.message(3, "status")
		w.Type, w.Payload = fleet.Watch, []byte("hi")
		b.r.Record(w)
		unknown := b.message(4, "status")
		unknown.Type, unknown.Payload = "", []byte("hi")
		b.r.Record(unknown)
		b.restart()
		for device, want := range map[string]string{"btn-001": c.button, "btn-002": c.large, "btn-003": c.watch, "btn-004": ""} {
			got := b.history(traffic.Filter{Device: device}, 10)[0]
			if string(got.Payload) != want || got.Truncated != (want == "0123456789") {
				t.Errorf("%s: %s has payload %q, truncated %t; want %q", name, device, got.Payload, got.Truncated, want)
			}
		}
		b.must(b.r.Close())
	}
}

// stuck is a disk on which writes wait from hang on, until the channel that it
// returned is closed.
type stuck struct{ gate atomic.Pointer[chan struct{}] }

func (s *stuck) hang() chan struct{} {
	gate := make(chan struct{})
	s.gate.Store(&gate)
	return gate
}

func (s *stuck) MaybeError(op errorfs.Op) error {
	if op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData {
		if gate := s.gate.Load(); gate != nil {
			<-*gate
		}
	}
	return nil
}

func (s *stuck) String() string { return "stuck" }

func TestRecord_NeverWaitsForADiskThatHangs(t *testing.T) {
	s := &stuck{}
	b := newBench(t, func(c *traffic.Config) {
		c.FS = errorfs.Wrap(vfs.NewMem(), s)
		c.BlockRecords, c.MaxWaiting, c.SyncEvery = 10, 50, time.Nanosecond
	})
	b.record(1, "status")
	b.must(b.r.Flush())
	gate := s.hang()
	b.now = b.now.Add(time.Minute)
	for range 20 {
		b.record(1, "status")
	}
	flushed := make(chan error, 1)
	go func() { flushed <- b.r.Flush() }()
	for range 100 {
		b.record(1, "status") // returns: else the test never ends
	}
	close(gate)
	b.must(<-flushed)
	b.must(b.r.Flush())
	page, err := b.r.History(t.Context(), traffic.Filter{}, 500, traffic.Cursor{})
	b.must(err)
	lost := 0
	for _, g := range page.Gaps {
		if lost += int(g.Lost); g.Reason != traffic.GapOverflow {
			t.Errorf("gap %+v, want %s", g, traffic.GapOverflow)
		}
	}
	if lost == 0 || len(page.Messages)+lost != 121 {
		t.Errorf("%d messages and %d lost: want 121 together, and some lost", len(page.Messages), lost)
	}
	b.must(b.r.Close())
}

func TestRecord_WithoutRoomNothingIsCountedEither(t *testing.T) {
	b := newBench(t, func(c *traffic.Config) { c.BlockRecords, c.MaxWaiting = 10, 50 })
	defer func() { b.must(b.r.Close()) }()
	b.r.Denied("btn-001", b.now)
	for range 60 {
		b.record(1, "status")
	}
	for minute := range 100 { // of a disk that hangs: each would be a row in memory
		b.r.Denied("btn-001", b.now.Add(time.Duration(minute)*time.Minute))
		b.r.Observe("btn-001", b.now.Add(time.Duration(minute)*time.Minute), []traffic.Number{{Name: "battery", Value: 80}})
	}
	b.must(b.r.Flush())
	b.now = b.now.Add(2 * time.Hour)
	m, err := b.r.Metrics(t.Context(), traffic.MetricsQuery{Device: "btn-001"})
	b.must(err)
	if m.Totals.Messages() != 50 || m.Totals.Denied != 1 || len(m.Fields) > 0 {
		t.Errorf("%d messages, %d denied, fields %v; want 50, the one from before, and none", m.Totals.Messages(), m.Totals.Denied, m.Fields)
	}
}

func TestClose_DoesNotWaitForADiskThatHangs(t *testing.T) {
	s := &stuck{}
	b := newBench(t, func(c *traffic.Config) {
		c.FS, c.SyncEvery, c.StopWithin = errorfs.Wrap(vfs.NewMem(), s), time.Nanosecond, time.Millisecond
	})
	gate := s.hang()
	t.Cleanup(func() { close(gate) })
	b.record(1, "status")
	b.must(b.r.Close()) // returns: else the test never ends
}

func TestClose_WhatComesAfterwardsIsUnavailable(t *testing.T) {
	b := newBench(t, nil)
	b.record(1, "status")
	b.must(b.r.Close())
	b.must(b.r.Close())
	_, verified := b.r.Verify(t.Context())
	for name, err := range map[string]error{
		"flush": b.r.Flush(), "retain": b.r.Retain(t.Context()), "acknowledge": b.r.AckHours(t.Context(), nil),
		"send again": b.r.ResendHours(t.Context(), start), "copy": b.r.Checkpoint("copy"), "verify": verified,
	} {
		if !errors.Is(err, fleet.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
	if n := b.r.Bytes(); n != 0 {
		t.Errorf("%d bytes", n)
	}
}

func TestRecord_GoesOnLiveWhenTheDiskFails(t *testing.T) {
	boom := errors.New("input/output error")
	var broken atomic.Bool
	b := newBench(t, func(c *traffic.Config) {
		c.FS = errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if broken.Load() && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
				return boom
			}
			return nil
		}))
		c.SyncEvery = time.Nanosecond
	})
	b.record(1, "status")
	b.must(b.r.Flush())
	broken.Store(true)
	b.now = b.now.Add(time.Minute)
	b.record(1, "status")
	if err := b.r.Flush(); err == nil {
		t.Error("a flush to a broken disk succeeded")
	}
	live, err := b.r.Live(traffic.LiveFilter{})
	b.must(err)
	m := b.record(2, "press")
	got, _, err := live.Next(t.Context(), nil, 10)
	b.must(err)
	if d := gocmp.Diff([]traffic.Message{m}, got); d != "" {
		t.Errorf("live (-want +got):\n%s", d)
	}
	if _, err := b.r.History(t.Context(), traffic.Filter{}, 1, traffic.Cursor{}); !errors.Is(err, fleet.ErrUnavailable) {
		t.Errorf("history of a broken disk: %v, want ErrUnavailable", err)
	}
	b.must(b.r.Close())
}

func TestLive_GivesWhatTheFilterWants(t *testing.T) {
	b := newBench(t, func(c *traffic.Config) { c.LivePayloadBytes = 8 })
	defer func() { b.must(b.r.Close()) }()
	for name, c := range map[string]struct {
		f    traffic.LiveFilter
		want []int // devices
	}{
		"everything":   {traffic.LiveFilter{}, []int{1, 2, 3}},
		"a topic":      {traffic.LiveFilter{Topic: "obedio/+/+/+/+/press"}, []int{2}},
		"a device":     {traffic.LiveFilter{Device: "btn-003"}, []int{3}},
		"a direction":  {traffic.LiveFilter{Direction: traffic.Outbound}, []int{3}},
		"a text in it": {traffic.LiveFilter{Contains: "emergency"}, []int{2}},
	} {
		r, err := b.r.Live(c.f)
		b.must(err)
		b.record(1, "status")
		p := b.message(2, "press")
		p.Payload = []byte(`{"priority":"emergency"}`)
		b.r.Record(p)
		o := b.message(3, "cmd/receipt")
		o.Direction = traffic.Outbound
		b.r.Record(o)
		got, dropped, err := r.Next(t.Context(), nil, 10)
		b.must(err)
		var devices []int
		for _, m := range got {
			devices = append(devices, int(m.Device[len(m.Device)-1]-'0'))
			if m.Payload != nil {
				t.Errorf("%s: a payload that nobody asked for", name)
			}
		}
		if d := gocmp.Diff(c.want, devices); d != "" || dropped != 0 {
			t.Errorf("%s: %d dropped; devices (-want +got):\n%s", name, dropped, d)
		}
		r.Close()
	}
	r, err := b.r.Live(traffic.LiveFilter{Payloads: true})
	b.must(err)
	defer r.Close()
	p := b.message(2, "press")
	buf := []byte("0123456789")
	p.Payload = buf
	b.r.Record(p)
	copy(buf, "XXXXXXXXXX") // the broker goes on with its buffer
	got, _, err := r.Next(t.Context(), nil, 10)
	b.must(err)
	if len(got) != 1 || !bytes.Equal(got[0].Payload, []byte("01234567")) || !got[0].Truncated {
		t.Errorf("payload: %+v, want the first 8 bytes as they were", got)
	}
	if _, err := b.r.Live(traffic.LiveFilter{Topic: "a/#/b"}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("a bad pattern: %v, want ErrInvalid", err)
	}
}

func TestLive_SlowReaderLosesAndIsToldAndNobodyElseNotices(t *testing.T) {
	b := newBench(t, func(c *traffic.Config) { c.LiveMessages, c.MaxReaders = 10, 3 })
	slow, err := b.r.Live(traffic.LiveFilter{})
	b.must(err)
	quick, err := b.r.Live(traffic.LiveFilter{})
	b.must(err)
	rated, err := b.r.Live(traffic.LiveFilter{MaxRate: 3})
	b.must(err)
	if _, err := b.r.Live(traffic.LiveFilter{}); !errors.Is(err, fleet.ErrLimit) {
		t.Errorf("one reader too many: %v, want ErrLimit", err)
	}
	seen := 0
	for range 25 {
		b.record(1, "status")
		got, dropped, err := quick.Next(t.Context(), nil, 10)
		b.must(err)
		if seen += len(got); dropped > 0 {
			t.Errorf("%d dropped for a reader that keeps up", dropped)
		}
	}
	got, dropped, err := slow.Next(t.Context(), nil, 100)
	b.must(err)
	if seen != 25 || len(got) != 10 || dropped != 15 {
		t.Errorf("quick %d, slow %d and %d dropped; want 25, 10 and 15", seen, len(got), dropped)
	}
	if got, dropped, err := rated.Next(t.Context(), nil, 100); err != nil || len(got) < 3 || len(got)+int(dropped) != 25 {
		t.Errorf("a reader of 3 a second got %d and lost %d, %v", len(got), dropped, err)
	}
	rated.Close()
	slow.Pause(true)
	b.record(1, "status")
	slow.Pause(false)
	b.record(2, "status")
	if got, dropped, err := slow.Next(t.Context(), nil, 100); err != nil || dropped != 0 || len(got) != 1 || got[0].Device != "btn-002" {
		t.Errorf("after a pause: %v, %d dropped, %v", got, dropped, err)
	}
	if n := b.r.Totals(); n.LiveDropped < 15 || n.Readers != 2 {
		t.Errorf("totals %+v: want at least 15 dropped and 2 readers", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := slow.Next(ctx, nil, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("next: %v, want the end of its context", err)
	}
	b.must(b.r.Close())
	if _, _, err := slow.Next(t.Context(), nil, 1); !errors.Is(err, fleet.ErrUnavailable) {
		t.Errorf("next after the end: %v, want ErrUnavailable", err)
	}
}
