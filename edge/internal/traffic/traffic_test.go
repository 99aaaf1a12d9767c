package traffic_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/fleet"
)

// bench is a record on a disk in memory, with a clock that the test sets.
type bench struct {
	t   rapid.TB
	c   traffic.Config
	now time.Time
	r   *traffic.Traffic
}

func newBench(t rapid.TB, change func(*traffic.Config)) *bench {
	b := &bench{t: t, now: start}
	b.c = traffic.Config{
		Dir: "data", FS: vfs.NewCrashableMem(), Now: func() (time.Time, bool) { return b.now, true },
		MemTableBytes: 64 << 10, CacheBytes: 1 << 20,
	}
	if change != nil {
		change(&b.c)
	}
	b.open()
	return b
}

func (b *bench) open() {
	b.t.Helper()
	r, err := traffic.New(b.c)
	if err != nil {
		b.t.Fatal(err)
	}
	b.r = r
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) restart() {
	b.t.Helper()
	b.must(b.r.Close())
	b.open()
}

// crash cuts the power: what was not synced is gone.
func (b *bench) crash() {
	b.t.Helper()
	cut := b.c.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
	b.must(b.r.Close())
	b.c.FS = cut
	b.open()
}

// message is one from device n, now.
func (b *bench) message(n int, action string) traffic.Message {
	id := fmt.Sprintf("btn-%03d", n)
	return traffic.Message{
		At: b.now, Direction: traffic.Inbound, Device: id, Type: fleet.Button, Room: "cabin-1",
		Topic: "obedio/yacht-1/cabin-1/button/" + id + "/" + action, QoS: 1, Size: 100 + n,
	}
}

func (b *bench) record(n int, action string) traffic.Message {
	m := b.message(n, action)
	b.r.Record(m)
	return m
}

// history reads all pages.
func (b *bench) history(f traffic.Filter, limit int) []traffic.Message {
	b.t.Helper()
	var all []traffic.Message
	var c traffic.Cursor
	for {
		page, err := b.r.History(context.Background(), f, limit, c)
		b.must(err)
		if len(page.Messages) > limit {
			b.t.Fatalf("a page of %d messages, the limit is %d", len(page.Messages), limit)
		}
		all = append(all, page.Messages...)
		if page.Next == nil {
			return all
		}
		c = *page.Next
	}
}

// sorted brings messages into an order that depends on nothing but them.
func sorted(ms []traffic.Message) []traffic.Message {
	out := append([]traffic.Message{}, ms...)
	slices.SortFunc(out, func(a, b traffic.Message) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Size, b.Size), strings.Compare(fmt.Sprint(a.Retain), fmt.Sprint(b.Retain)))
	})
	return out
}

// Whatever happens to the hub and its clock: every record that is there is
// counted in its minute, once; every hour that is over is the sum of its
// minutes; and after an orderly stop nothing is missing.
func TestSummaries_AreARecountOfTheRecordsWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t, func(c *traffic.Config) {
			c.SegmentRecords, c.BlockRecords, c.MaxWaiting = 200, 64, 1000
			c.SyncEvery = 20 * time.Second
		})
		defer func() { b.must(b.r.Close()) }()
		var told []traffic.Message
		crashed := false
		steps := rapid.IntRange(5, 40).Draw(t, "steps")
		for range steps {
			switch rapid.SampledFrom([]string{"record", "record", "record", "burst", "flush", "flush", "observe", "step", "hour", "merge", "restart", "crash", "retain"}).Draw(t, "step") {
			case "record":
				m := b.message(rapid.IntRange(0, 5).Draw(t, "device"), rapid.SampledFrom([]string{"status", "press", "cmd/reset"}).Draw(t, "action"))
				if rapid.Bool().Draw(t, "out") {
					m.Direction = traffic.Outbound
				}
				m.Retain = rapid.Bool().Draw(t, "retain")
				b.r.Record(m)
				told = append(told, m)
			case "burst":
				for i := range rapid.IntRange(1, 60).Draw(t, "burst") {
					told = append(told, b.record(i%7, "status"))
					b.now = b.now.Add(time.Duration(i%3) * time.Millisecond)
				}
			case "observe":
				b.r.Observe("btn-001", b.now, []traffic.Number{{Name: "battery", Value: rapid.Float64Range(0, 100).Draw(t, "battery")}})
			case "flush":
				b.must(b.r.Flush())
				b.now = b.now.Add(5 * time.Second)
			case "step":
				b.now = b.now.Add(time.Duration(rapid.Int64Range(-3*3600_000, 3*3600_000).Draw(t, "ms")) * time.Millisecond)
			case "hour":
				b.now = b.now.Add(time.Hour)
			case "merge":
				b.must(b.r.Merge(context.Background()))
			case "retain":
				b.must(b.r.Retain(context.Background()))
			case "restart":
				b.restart()
			case "crash":
				crashed = true
				b.crash()
			}
		}
		b.must(b.r.Flush())
		b.must(b.r.Recount(context.Background()))
		problems, err := b.r.Verify(context.Background())
		b.must(err)
		if len(problems) > 0 {
			t.Fatalf("verify: %v", problems)
		}
		got := sorted(b.history(traffic.Filter{}, rapid.IntRange(1, 70).Draw(t, "limit")))
		if crashed {
			if extra := without(got, told); len(extra) > 0 {
				t.Fatalf("history has what never was: %v", extra)
			}
			return
		}
		if d := gocmp.Diff(sorted(told), got); d != "" {
			t.Fatalf("history (-told +got):\n%s", d)
		}
	})
}

// without is what of ms is not in others, counting how often.
func without(ms, others []traffic.Message) (out []traffic.Message) {
	left := map[string]int{}
	for _, m := range others {
		left[fmt.Sprint(m)]++
	}
	for _, m := range ms {
		if left[fmt.Sprint(m)]--; left[fmt.Sprint(m)] < 0 {
			out = append(out, m)
		}
	}
	return out
}

// The control of the test above: its crash does lose what was not synced.
func TestCrash_LosesAtMostWhatWasNotSynced(t *testing.T) {
	b := newBench(t, nil)
	for range 100 {
		b.record(1, "status")
		b.now = b.now.Add(time.Second)
		b.must(b.r.Flush())
	}
	b.crash()
	defer func() { b.must(b.r.Close()) }()
	got := len(b.history(traffic.Filter{}, 500))
	if got == 100 || got < 100-65 {
		t.Errorf("%d of 100 seconds are there after a power cut: want some lost, and at most 65", got)
	}
	b.must(b.r.Recount(t.Context()))
}

func TestHistory_PagesGoOnWhereTheyStopped(t *testing.T) {
	b := newBench(t, func(c *traffic.Config) { c.SegmentRecords, c.BlockRecords = 100, 50 })
	defer func() { b.must(b.r.Close()) }()
	var told []traffic.Message
	for i := range 400 {
		told = append(told, b.record(i%5, "status"))
		if i%4 == 0 {
			b.now = b.now.Add(time.Millisecond)
		}
		if i%23 == 0 {
			b.must(b.r.Flush())
		}
	}
	first, err := b.r.History(t.Context(), traffic.Filter{}, 37, traffic.Cursor{})
	b.must(err)
	// What comes after, and the work behind the scenes, moves nothing.
	b.now = b.now.Add(time.Second)
	b.record(9, "press")
	b.must(b.r.Flush())
	b.must(b.r.Merge(t.Context()))
	got, c := first.Messages, first.Next
	for c != nil {
		page, err := b.r.History(t.Context(), traffic.Filter{}, 37, *c)
		b.must(err)
		got, c = append(got, page.Messages...), page.Next
	}
	if !slices.IsSortedFunc(got, func(a, b traffic.Message) int { return b.At.Compare(a.At) }) {
		t.Error("history is not newest first")
	}
	if d := gocmp.Diff(sorted(told), sorted(got)); d != "" {
		t.Errorf("history (-told +got):\n%s", d)
	}
}

func TestHistory_FiltersByDeviceTopicDirectionAndTime(t *testing.T) {
	b := newBench(t, nil)
	defer func() { b.must(b.r.Close()) }()
	var all []traffic.Message
	for i := range 60 {
		all = append(all, b.record(i%4, []string{"status", "press"}[i%2]))
		out := b.message(i%3, "cmd/receipt")
		out.Direction = traffic.Outbound
		b.r.Record(out)
		all = append(all, out)
		b.now = b.now.Add(time.Minute)
		if i == 30 {
			b.must(b.r.Flush())
		}
	}
	for name, f := range map[string]traffic.Filter{
		"device":    {Device: "btn-002"},
		"topic":     {Topic: "obedio/+/cabin-1/button/+/press"},
		"direction": {Direction: traffic.Outbound},
		"time":      {From: start.Add(10 * time.Minute), To: start.Add(20 * time.Minute)},
		"all":       {Device: "btn-001", Topic: "#", Direction: traffic.Inbound, From: start.Add(5 * time.Minute)},
		"nothing":   {Device: "btn-999"},
	} {
		want := slices.DeleteFunc(slices.Clone(all), func(m traffic.Message) bool {
			return f.Device != "" && m.Device != f.Device || f.Direction != traffic.Both && m.Direction != f.Direction ||
				strings.HasSuffix(f.Topic, "press") && !strings.HasSuffix(m.Topic, "press") ||
				!f.From.IsZero() && m.At.Before(f.From) || !f.To.IsZero() && m.At.After(f.To)
		})
		if d := gocmp.Diff(sorted(want), sorted(b.history(f, 7))); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	for name, f := range map[string]traffic.Filter{
		"pattern": {Topic: "a/#/b"}, "range": {From: start.Add(time.Hour), To: start},
	} {
		if _, err := b.r.History(t.Context(), f, 10, traffic.Cursor{}); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}

func TestMerge_HoldsNoMoreThanAFewPayloadsInMemory(t *testing.T) {
	b := newBench(t, func(c *traffic.Config) { c.Payloads = []fleet.DeviceType{"all"} })
	defer func() { b.must(b.r.Close()) }()
	const flushes, records, size = 20, 2000, 1024
	for range flushes {
		for i := range records {
			m := b.message(i%10, "press")
			m.Payload = bytes.Repeat([]byte{byte(i)}, size)
			b.r.Record(m)
		}
		b.must(b.r.Flush())
		b.now = b.now.Add(5 * time.Second)
	}
	b.must(b.r.Merge(t.Context()))
	most, err := b.r.MostPayload(t.Context())
	b.must(err)
	if most < traffic.MergePayload || most > traffic.MergePayload+records*size {
		t.Errorf("%d bytes of payloads in a segment, want %d and at most those of one flush more", most, traffic.MergePayload)
	}
	if n := b.r.Segments(); n >= flushes {
		t.Errorf("%d segments of %d flushes: nothing was merged", n, flushes)
	}
	if got := len(b.history(traffic.Filter{}, 5000)); got != flushes*records {
		t.Errorf("%d messages, want %d", got, flushes*records)
	}
}

func TestReplay_GivesEveryRecordInItsOrder(t *testing.T) {
	b := newBench(t, func(c *traffic.Config) { c.BlockRecords, c.SegmentRecords = 20, 60 })
	defer func() { b.must(b.r.Close()) }()
	var told []traffic.Message
	for i := range 150 {
		told = append(told, b.record(i%6, "status"))
		b.now = b.now.Add(7 * time.Millisecond)
		if i%10 == 9 {
			b.must(b.r.Flush())
			b.must(b.r.Merge(t.Context()))
		}
	}
	var got []traffic.Message
	b.must(b.r.Replay(t.Context(), told[10].At, told[139].At, func(m traffic.Message) error {
		got = append(got, m)
		return nil
	}))
	if d := gocmp.Diff(told[10:140], got); d != "" {
		t.Errorf("replay (-told +got):\n%s", d)
	}
	stop := errors.New("enough")
	if err := b.r.Replay(t.Context(), start, b.now, func(traffic.Message) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("replay ended with %v, want the error of its reader", err)
	}
}

func TestOpen_WhatCannotBeOpenedIsMovedAside(t *testing.T) {
	b := newBench(t, nil)
	b.record(1, "status")
	b.must(b.r.Close())
	names, err := b.c.FS.List(filepath.Join("data", traffic.Name))
	b.must(err)
	for _, n := range names {
		if strings.HasPrefix(n, "MANIFEST") {
			f, err := b.c.FS.Create(filepath.Join("data", traffic.Name, n), vfs.WriteCategoryUnspecified)
			b.must(err)
			_, err = f.Write([]byte("this is no manifest, and never was one"))
			b.must(errors.Join(err, f.Close()))
		}
	}
	b.open()
	defer func() { b.must(b.r.Close()) }()
	m := b.record(2, "press")
	if d := gocmp.Diff([]traffic.Message{m}, b.history(traffic.Filter{}, 10)); d != "" {
		t.Errorf("history of the new database (-want +got):\n%s", d)
	}
	names, err = b.c.FS.List("data")
	b.must(err)
	if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, traffic.Name+".damaged-") }) {
		t.Errorf("the damaged database is not kept beside: %v", names)
	}
}

func TestDamage_IsNamedAndLeavesTheRest(t *testing.T) {
	b := newBench(t, nil)
	defer func() { b.must(b.r.Close()) }()
	for range 5 {
		for i := range 10 {
			b.record(i, "status")
		}
		b.must(b.r.Flush())
		b.now = b.now.Add(time.Minute)
	}
	if n := b.r.Damage(traffic.ChunkTable, func(i int) bool { return i == 2 }); n != 1 {
		t.Fatalf("%d chunks damaged, want 1", n)
	}
	b.r.Damage(traffic.MinuteTable, func(i int) bool { return i == 1 })
	page, err := b.r.History(t.Context(), traffic.Filter{}, 100, traffic.Cursor{})
	b.must(err)
	want := []traffic.Gap{{From: start.Add(2 * time.Minute), To: start.Add(2 * time.Minute), Reason: traffic.GapDamaged, Lost: 10}}
	if d := gocmp.Diff(want, page.Gaps); d != "" || len(page.Messages) != 40 {
		t.Errorf("%d messages, want 40; gaps (-want +got):\n%s", len(page.Messages), d)
	}
	problems, err := b.r.Verify(t.Context())
	b.must(err)
	if len(problems) != 2 {
		t.Errorf("verify names %v, want the chunk and the minute", problems)
	}
	// A header that cannot be read costs its segment, and the start goes on.
	b.r.Damage(traffic.SegmentTable, func(i int) bool { return i == 4 })
	b.restart()
	if got := len(b.history(traffic.Filter{}, 100)); got != 30 {
		t.Errorf("%d messages after a header was damaged, want 30", got)
	}
	b.record(1, "press")
	b.must(b.r.Flush())
}

func TestDamage_OfTheDictionaryGivesNoRecordAnotherTopic(t *testing.T) {
	for name, table := range map[string]byte{"stream": traffic.StreamTable, "subject": traffic.SubjectTable} {
		b := newBench(t, nil)
		b.record(1, "status")
		b.now = b.now.Add(time.Minute)
		b.record(2, "status")
		b.must(b.r.Flush())
		b.r.Damage(table, func(i int) bool { return i == 1 }) // that of device 2
		b.restart()
		b.now = b.now.Add(time.Minute)
		b.record(3, "press")
		b.must(b.r.Flush())
		var got []string
		for _, m := range b.history(traffic.Filter{}, 10) {
			got = append(got, m.Device)
		}
		if d := gocmp.Diff([]string{"btn-003", "~other", "btn-001"}, got); d != "" {
			t.Errorf("a damaged %s: devices of history (-want +got):\n%s", name, d)
		}
		b.must(b.r.Close())
	}
}

func TestVerifyDir_NamesDamageAndChangesNothing(t *testing.T) {
	b := newBench(t, func(c *traffic.Config) { c.FS, c.Dir = nil, t.TempDir() })
	b.record(1, "status")
	b.must(b.r.Flush())
	b.must(b.r.Close())
	verify := func() int {
		t.Helper()
		problems, err := traffic.VerifyDir(t.Context(), b.c.Dir)
		b.must(err)
		return len(problems)
	}
	if n := verify(); n != 0 {
		t.Errorf("%d problems of a record that is well", n)
	}
	b.open()
	b.r.Damage(traffic.ChunkTable, func(int) bool { return true })
	b.must(b.r.Close())
	before := dirBytes(t, b.c.Dir)
	if n := verify(); n != 1 || verify() != 1 {
		t.Errorf("%d problems, want the damaged chunk, each time", n)
	}
	if after := dirBytes(t, b.c.Dir); after != before {
		t.Errorf("the directory had %d bytes, and %d afterwards", before, after)
	}
	if problems, err := traffic.VerifyDir(t.Context(), t.TempDir()); err != nil || len(problems) > 0 {
		t.Errorf("no record at all: %v, %v", problems, err)
	}
}
