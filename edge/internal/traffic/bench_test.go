package traffic_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/fleet"
)

// BenchmarkRecord_OneMessage is what a message costs the broker.
func BenchmarkRecord_OneMessage(b *testing.B) {
	r, err := traffic.New(traffic.Config{Dir: b.TempDir(), MaxWaiting: 1 << 20, BlockRecords: 1 << 16})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	m := newMix(1000, start, time.Millisecond)
	messages := make([]traffic.Message, 1<<16)
	for i := range messages {
		messages[i], _ = m.next()
		messages[i].Payload = make([]byte, 200)
	}
	for i := range messages {
		r.Record(messages[i]) // everything is known now
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i&0xffff == 0 {
			b.StopTimer()
			if err := r.Flush(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		r.Record(messages[i&0xffff])
	}
}

// BenchmarkFlush_OneMessage is what it costs beside, to write and merge a
// message and the summaries.
func BenchmarkFlush_OneMessage(b *testing.B) {
	r, err := traffic.New(traffic.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	m := newMix(1000, start, time.Second/10_000)
	b.ResetTimer()
	if err := m.feed(r, b.N, false, func() error {
		if err := r.Flush(); err != nil {
			return err
		}
		return r.Merge(b.Context())
	}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkHistory_OneDevicesLastHourAmongManyRecords asks for everything that
// one of 1,000 devices has sent in the last hour. OBEDIO_TRAFFIC_RECORDS says
// among how many records, 3 million by default; OBEDIO_TRAFFIC_RATE how many a
// second there were, 105 by default. OBEDIO_TRAFFIC_DIR keeps them for the next
// time.
func BenchmarkHistory_OneDevicesLastHourAmongManyRecords(b *testing.B) {
	records, rate := setting(b, "OBEDIO_TRAFFIC_RECORDS", 3_000_000), setting(b, "OBEDIO_TRAFFIC_RATE", 105)
	dir := os.Getenv("OBEDIO_TRAFFIC_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	m := newMix(1000, start, time.Second/time.Duration(rate))
	var end time.Time
	r, err := traffic.New(traffic.Config{
		Dir: dir, Now: func() (time.Time, bool) { return m.at, true }, Budget: 8 << 30, RawAge: 1 << 60,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	marker := filepath.Join(dir, "end")
	if text, err := os.ReadFile(marker); err == nil {
		if end, err = time.Parse(time.RFC3339Nano, string(text)); err != nil {
			b.Fatal(err)
		}
	} else {
		flushes := 0
		if err := m.feed(r, records, false, func() error {
			if flushes++; flushes%16 == 0 {
				if err := r.Merge(b.Context()); err != nil {
					return err
				}
			}
			return r.Flush()
		}); err != nil {
			b.Fatal(err)
		}
		end = m.at
		if err := os.WriteFile(marker, []byte(end.Format(time.RFC3339Nano)), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	found := 0
	devices := []fleet.DeviceID{"dev-0000", "dev-0123", "dev-0500", "dev-0999"}
	b.ResetTimer()
	for i := range b.N {
		page, err := r.History(b.Context(), traffic.Filter{
			Device: string(devices[i%len(devices)]), From: end.Add(-time.Hour), To: end,
		}, 1_000_000, traffic.Cursor{})
		if err != nil {
			b.Fatal(err)
		}
		found = len(page.Messages)
	}
	b.ReportMetric(float64(found), "records")
	b.ReportMetric(float64(r.Bytes())/float64(records), "bytes/record")
}

func setting(b *testing.B, name string, otherwise int) int {
	b.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		b.Fatalf("%s=%q: want a number", name, s)
	}
	return n
}
