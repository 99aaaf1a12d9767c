package traffic_test

import (
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/traffic"
)

var start = time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)

// The bar: at most 5 bytes a message on disk, dictionary, headers and the
// engine's own files included; this test holds the record to 3. 105 messages a
// second are a gigabyte a month. The summaries of so few messages a device and
// minute are of the order of the record itself, and are held to the bar with
// it.
func TestRecord_TakesFewBytesOnDisk(t *testing.T) {
	const messages = 600_000
	for name, c := range map[string]struct {
		observe bool
		most    float64
	}{
		"records and counts":        {false, 3.5},
		"with three numeric fields": {true, 5},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			m := newMix(1000, start, time.Second/105)
			// The engine's log is a fixed cost, here a small one: what is measured is
			// what grows.
			r, err := traffic.New(traffic.Config{Dir: dir, MemTableBytes: 64 << 10, Now: func() (time.Time, bool) { return m.at, true }})
			if err != nil {
				t.Fatal(err)
			}
			if err := m.feed(r, messages, c.observe, func() error {
				if err := r.Flush(); err != nil {
					return err
				}
				return r.Merge(t.Context())
			}); err != nil {
				t.Fatal(err)
			}
			if err := r.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
			raw, summaries := r.Sizes()
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			all := float64(dirBytes(t, dir)) / messages
			t.Logf("on disk %.2f bytes a message; records %.2f, summaries %.2f", all, float64(raw)/messages, float64(summaries)/messages)
			if all > c.most {
				t.Errorf("%.2f bytes a message on disk, want at most %.1f", all, c.most)
			}
			if each := float64(raw) / messages; each > 3 {
				t.Errorf("%.2f bytes a message for the record alone, want at most 3", each)
			}
		})
	}
}

func dirBytes(t *testing.T, dir string) (n int64) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}
