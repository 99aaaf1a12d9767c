package traffic_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/fleet"
)

// fill records as the hub would.
func (b *bench) fill(m *mix, messages int) {
	b.t.Helper()
	b.must(m.feed(b.r, messages, true, func() error {
		b.now = m.at
		return b.r.Flush()
	}))
}

// Defect 12: backlog or logs fill the disk.
func TestDefect12_TheRecordStaysWithinItsBudgetUnderContinuedWrites(t *testing.T) {
	b := newBench(t, func(c *traffic.Config) {
		c.FS, c.Dir = nil, t.TempDir()
		c.Budget, c.SegmentRecords = 256<<10, 8192
	})
	m := newMix(200, start, 30*time.Millisecond)
	for range 15 {
		b.fill(m, 8_000)
		b.must(b.r.Merge(t.Context()))
		b.must(b.r.Retain(t.Context()))
		// The engine deletes its files a little later than it lets go of them.
		if raw, summaries := b.r.Sizes(); raw+summaries > b.c.Budget {
			t.Fatalf("%d bytes of records and %d of summaries, the budget is %d", raw, summaries, b.c.Budget)
		}
	}
	newest := b.history(traffic.Filter{From: b.now.Add(-time.Second)}, 100)
	oldest := b.history(traffic.Filter{To: start.Add(time.Minute)}, 100)
	if len(newest) == 0 || len(oldest) > 0 {
		t.Errorf("%d of the newest and %d of the oldest records are there: want some and none", len(newest), len(oldest))
	}
	b.restart()
	b.must(b.r.Close())
	if size := dirBytes(t, b.c.Dir); size > int64(b.c.Budget) {
		t.Errorf("the directory has %d bytes, the budget is %d", size, b.c.Budget)
	}
}

// Defect 12, the order in which the record is dropped.
func TestDefect12_RawRecordsGoBeforeMinutesAndMinutesBeforeHours(t *testing.T) {
	b := newBench(t, nil)
	defer func() { b.must(b.r.Close()) }()
	m := newMix(100, start, 900*time.Millisecond)
	b.fill(m, 20_000) // five hours
	b.must(b.r.Compact(t.Context()))
	minutes := func() int {
		got, err := b.r.Metrics(t.Context(), traffic.MetricsQuery{From: start, To: b.now, Bucket: time.Minute})
		b.must(err)
		return len(got.Series[0].Points)
	}
	hours := func() uint64 {
		got, err := b.r.Metrics(t.Context(), traffic.MetricsQuery{From: start, To: b.now, Bucket: time.Hour})
		b.must(err)
		return got.Totals.Messages()
	}
	all := minutes()
	raw, summaries := b.r.Sizes()
	b.must(b.r.DropTo(t.Context(), summaries+raw/2))
	if left := len(b.history(traffic.Filter{}, 5000)); left == 0 || left >= 20_000 || minutes() != all || hours() != 20_000 {
		t.Errorf("half of the raw bytes: %d records, %d of %d minutes, %d messages in hours", left, minutes(), all, hours())
	}
	b.must(b.r.DropTo(t.Context(), summaries/2))
	if left := len(b.history(traffic.Filter{}, 5000)); left != 0 || hours() != 20_000 {
		t.Errorf("half of the summaries' bytes: %d records, %d messages in hours; want none, and all", left, hours())
	}
	b.must(b.r.DropTo(t.Context(), 0))
	if got := hours(); got == 0 || got >= 20_000 {
		t.Errorf("%d messages in hours when all may go, want those of the hour that is not over", got)
	}
	// And life goes on.
	b.fill(m, 1000)
	problems, err := b.r.Verify(t.Context())
	b.must(err)
	if len(problems) > 0 {
		t.Errorf("verify: %v", problems)
	}
}

func TestRetain_AgesAreOfEachKindAndNeedATrustedClock(t *testing.T) {
	trusted := false
	b := newBench(t, nil)
	b.must(b.r.Close())
	b.c.RawAge, b.c.MinuteAge, b.c.HourAge = time.Hour, 3*time.Hour, 10*time.Hour
	b.c.Now = func() (time.Time, bool) { return b.now, trusted }
	b.open()
	defer func() { b.must(b.r.Close()) }()
	for range 12 {
		b.record(1, "status")
		b.must(b.r.Flush())
		b.now = b.now.Add(time.Hour)
	}
	b.must(b.r.Flush())
	count := func() [3]int {
		minutes, err := b.r.Metrics(t.Context(), traffic.MetricsQuery{From: b.now.Add(-3 * time.Hour), To: b.now, Bucket: time.Minute})
		b.must(err)
		hours, err := b.r.Metrics(t.Context(), traffic.MetricsQuery{From: start, To: b.now, Bucket: time.Hour})
		b.must(err)
		return [3]int{len(b.history(traffic.Filter{}, 50)), int(minutes.Totals.Messages()), int(hours.Totals.Messages())}
	}
	b.must(b.r.Retain(t.Context()))
	if d := gocmp.Diff([3]int{12, 3, 12}, count()); d != "" {
		t.Errorf("records, minutes, hours while the clock is not trusted (-want +got):\n%s", d)
	}
	trusted = true
	b.must(b.r.Retain(t.Context()))
	if d := gocmp.Diff([3]int{1, 3, 10}, count()); d != "" {
		t.Errorf("records, minutes, hours (-want +got):\n%s", d)
	}
	if _, err := b.r.Metrics(t.Context(), traffic.MetricsQuery{From: start, To: b.now, Bucket: 90 * time.Second}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("a wrong bucket where the minutes are gone: %v, want ErrInvalid", err)
	}
	// The clock comes back to an hour whose minutes are gone: its summary grows.
	late := b.now
	b.now = b.now.Add(-8 * time.Hour)
	b.record(1, "status")
	b.must(b.r.Flush())
	b.now = late
	b.must(b.r.Flush())
	if d := gocmp.Diff([3]int{2, 3, 11}, count()); d != "" {
		t.Errorf("records, minutes, hours after a late record (-want +got):\n%s", d)
	}
	problems, err := b.r.Verify(t.Context())
	b.must(err)
	if len(problems) > 0 {
		t.Errorf("verify: %v", problems)
	}
}

func TestRetain_ForgetsTopicsThatNothingNames(t *testing.T) {
	b := newBench(t, func(c *traffic.Config) { c.MaxTopics, c.BlockRecords = 30, 10 })
	defer func() { b.must(b.r.Close()) }()
	for i := range 40 {
		b.record(i, "status")
	}
	b.must(b.r.Flush())
	if got := b.r.Totals().OtherTopics; got != 10 {
		t.Errorf("%d messages beyond the limit of topics, want 10", got)
	}
	other := b.history(traffic.Filter{Topic: "~other"}, 50)
	if len(other) != 10 || other[0].Device == "" {
		t.Errorf("%d messages under ~other, want 10 with their devices: %v", len(other), other)
	}
	b.r.RefreshUse(100)
	for range 150 {
		b.record(1, "status")
		b.must(b.r.Flush())
	}
	b.must(b.r.Merge(t.Context()))
	b.must(b.r.DropTo(t.Context(), 0))
	if got := b.r.Streams(); got != 1 {
		t.Errorf("%d topics are known, want the one that is in use", got)
	}
	b.restart()
	b.record(77, "status")
	b.record(1, "status")
	if got := len(b.history(traffic.Filter{Topic: "obedio/#"}, 50)); got != 2 {
		t.Errorf("%d messages on topics with a name, want 2", got)
	}
}

func TestPause_LeavesAGapThatIsTold(t *testing.T) {
	b := newBench(t, nil)
	b.record(1, "status")
	b.r.Pause(true)
	from := b.now
	for range 7 {
		b.record(1, "status")
	}
	b.now = b.now.Add(time.Minute)
	b.r.Pause(false)
	b.record(1, "press")
	b.must(b.r.Flush())
	page, err := b.r.History(t.Context(), traffic.Filter{}, 10, traffic.Cursor{})
	b.must(err)
	want := []traffic.Gap{{From: from, To: b.now, Reason: traffic.GapPaused, Lost: 7}}
	if d := gocmp.Diff(want, page.Gaps); d != "" || len(page.Messages) != 2 {
		t.Errorf("%d messages, want 2; gaps (-want +got):\n%s", len(page.Messages), d)
	}
	// So does the time in which the hub is off.
	b.must(b.r.Close())
	off := b.now
	b.now = b.now.Add(3 * time.Hour)
	b.open()
	defer func() { b.must(b.r.Close()) }()
	b.record(1, "status")
	b.must(b.r.Flush())
	page, err = b.r.History(t.Context(), traffic.Filter{From: off.Add(time.Hour)}, 10, traffic.Cursor{})
	b.must(err)
	if d := gocmp.Diff([]traffic.Gap{{From: off, To: b.now, Reason: traffic.GapOff}}, page.Gaps); d != "" {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
}

func TestHistory_HasTheGapsThatAreWrittenWhileItIsRead(t *testing.T) {
	b := newBench(t, nil)
	defer func() { b.must(b.r.Close()) }()
	b.r.Pause(true)
	b.record(1, "status")
	b.r.Pause(false)
	gaps, err := b.r.GapsOver(t.Context(), func() { b.must(b.r.Flush()) })
	b.must(err)
	if len(gaps) != 1 || gaps[0].Lost != 1 {
		t.Errorf("gaps: %v, want that of the pause", gaps)
	}
}

func TestRun_WritesByItselfAndOnceMoreAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		run := func() (*bench, func()) {
			r, err := traffic.New(traffic.Config{Dir: "data", FS: fs})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- r.Run(ctx) }()
			return &bench{t: t, now: time.Now(), r: r}, func() {
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		}
		b, stop := run()
		b.record(1, "status")
		time.Sleep(6 * time.Second)
		if n := b.r.Segments(); n != 1 {
			t.Errorf("%d segments after six seconds, want 1", n)
		}
		b.record(2, "status")
		stop()
		b, stop = run()
		defer stop()
		if got := len(b.history(traffic.Filter{}, 10)); got != 2 {
			t.Errorf("%d messages after an orderly stop, want 2", got)
		}
	})
}
