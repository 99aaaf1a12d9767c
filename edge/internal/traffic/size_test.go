package traffic_test

import (
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/traffic"
)

var start = time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)

// The bar is 5 bytes a message on disk, with everything that is in the
// directory: dictionary, headers, summaries with three numeric fields, the
// engine's own files. The record and its dictionary alone are held to 3. At 105
// messages a second (a gigabyte a month) the summaries of a thousand devices
// are of the order of the record itself.
func TestRecord_TakesFewBytesOnDisk(t *testing.T) {
	const messages = 4 * 135_000 // whole segments: in weeks the newest, not yet merged, is nothing
	dir := t.TempDir()
	m := newMix(1000, start, time.Second/105)
	open := func() *traffic.Traffic {
		r, err := traffic.New(traffic.Config{
			Dir: dir, Now: func() (time.Time, bool) { return m.at, true }, MemTableBytes: 128 << 10,
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open()
	if err := m.feed(r, messages, true, func() error {
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
	// The engine's old logs, a fixed cost, go at the next start.
	for range 2 {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		r = open()
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	all, record := float64(dirBytes(t, dir))/messages, float64(raw)/messages
	t.Logf("bytes a message: %.2f on disk, of them record and dictionary %.2f, summaries %.2f", all, record, float64(summaries)/messages)
	if all > 5 || record > 3 {
		t.Errorf("%.2f bytes a message on disk, the record %.2f: want at most 5 and 3", all, record)
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
