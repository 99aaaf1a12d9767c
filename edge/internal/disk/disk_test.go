package disk

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/obedio/obedio/shared/fleet"
)

const mb = 1 << 20

// fakeDisk is a disk of 1000 MB whose free room the test sets; the ballast
// takes its part of it.
type fakeDisk struct {
	mu   sync.Mutex
	dir  string
	free uint64
	err  error
}

func (d *fakeDisk) usage(string) (Usage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	taken := uint64(0)
	if i, err := os.Stat(filepath.Join(d.dir, "ballast")); err == nil {
		taken = uint64(i.Size())
	}
	return Usage{Free: d.free - min(taken, d.free), Total: 1000 * mb}, d.err
}

func (d *fakeDisk) set(free uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = free
}

func newGuard(t *testing.T, d *fakeDisk, c Config) *Guard {
	t.Helper()
	d.dir = t.TempDir()
	c.Dir, c.Usage, c.Fresh = d.dir, d.usage, time.Nanosecond
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestLevel_FollowsTheFreeShareAndLeavesWithRoomToSpare(t *testing.T) {
	d := &fakeDisk{free: 900 * mb}
	g := newGuard(t, d, Config{Floor: -1, Ballast: -1})
	var got []Level
	steps := []uint64{900, 149, 99, 49, 19, 21, 23, 51, 54, 56, 101, 109, 111, 151, 166}
	for _, free := range steps {
		d.set(free * mb)
		got = append(got, g.Level())
	}
	want := []Level{
		Ample, Warning, HistoryStops, EssentialOnly, HardStop, HardStop, EssentialOnly, EssentialOnly, EssentialOnly, HistoryStops,
		HistoryStops, HistoryStops, Warning, Warning, Ample,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("at %v MB free: %s", steps, diff)
	}
}

func TestLevel_KeepsItsOrderOnASmallDisk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Config{
			Warn: 15, History: 10, Essential: 5, Stop: 2, Spare: 10, Floor: rapid.Int64Range(0, 64*mb).Draw(t, "floor"),
		}
		total := rapid.Uint64Range(1, 1<<42).Draw(t, "total")
		free := rapid.Uint64Range(0, total).Draw(t, "free")
		before := Level(rapid.IntRange(0, int(HardStop)).Draw(t, "before"))
		th := c.thresholds(total)
		for l := Warning; l < HardStop; l++ {
			if th[l] < th[l+1] {
				t.Fatalf("%s begins at %d bytes, %s at %d", l, th[l], l+1, th[l+1])
			}
		}
		fresh, kept := c.judge(Usage{free, total}, Ample), c.judge(Usage{free, total}, before)
		if kept < fresh || kept > max(fresh, before) {
			t.Fatalf("%d of %d free: %s, and %s after %s", free, total, fresh, kept, before)
		}
		if less := c.judge(Usage{free / 2, total}, before); less < kept {
			t.Fatalf("with half the room the level falls from %s to %s", kept, less)
		}
	})
}

func TestBallast_IsGivenUpAtTheHardStopAndMadeAgain(t *testing.T) {
	d := &fakeDisk{free: 900 * mb}
	g := newGuard(t, d, Config{Floor: -1, Ballast: 40 * mb})
	if err := g.Prepare(); err != nil {
		t.Fatal(err)
	}
	if s := g.Status(); s.Ballast != 40*mb || s.Level != Ample {
		t.Fatalf("after the start: %+v", s)
	}
	d.set(55 * mb) // 15 without the ballast
	if got := g.Level(); got != EssentialOnly {
		t.Errorf("with the ballast given up: %s", got)
	}
	if s := g.Status(); s.Ballast != 0 {
		t.Errorf("ballast of %d bytes is still there", s.Ballast)
	}
	d.set(92 * mb) // room, but not with a ballast
	if got := g.Level(); got != EssentialOnly {
		t.Errorf("on the reserve: %s", got)
	}
	d.set(10 * mb)
	if got := g.Level(); got != HardStop {
		t.Errorf("with the reserve gone: %s", got)
	}
	d.set(500 * mb)
	if err := g.Prepare(); err != nil {
		t.Fatal(err)
	}
	if s := g.Status(); s.Ballast != 40*mb || s.Level != Ample {
		t.Errorf("with room again: %+v", s)
	}
}

func TestPrepare_StartsAFullDiskOnTheBallastAndSaysWhatIsNeededWithoutOne(t *testing.T) {
	d := &fakeDisk{free: 900 * mb}
	g := newGuard(t, d, Config{Floor: -1, Ballast: 10 * mb})
	if err := g.Prepare(); err != nil {
		t.Fatal(err)
	}
	d.set(10 * mb) // all of it ballast
	again, err := New(g.c)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Prepare(); err != nil {
		t.Errorf("start on a full disk with a ballast: %v", err)
	}
	d.set(0)
	last, err := New(g.c)
	if err != nil {
		t.Fatal(err)
	}
	if err := last.Prepare(); !errors.Is(err, fleet.ErrFull) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("start on a full disk without one: %v", err)
	}
}

func TestPrepare_SaysThatThereIsNoBallastWhenALargerOneCannotBeMade(t *testing.T) {
	d := &fakeDisk{free: 900 * mb}
	g := newGuard(t, d, Config{Floor: -1, Ballast: 10 * mb})
	if err := g.Prepare(); err != nil {
		t.Fatal(err)
	}
	d.set(1 << 61) // but no file system takes a file so large
	c := g.c
	c.Ballast = 1 << 60
	larger, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := larger.Prepare(); err != nil {
		t.Fatal(err)
	}
	if s := larger.Status(); s.Ballast != 0 || s.Level != Ample {
		t.Errorf("%+v, want the disk as it is, without a ballast", s)
	}
}

// pauses notes what History was told.
type pauses struct{ told []bool }

func (p *pauses) Pause(on bool) { p.told = append(p.told, on) }

func TestRun_PausesHistoryTellsChangesAndLogsWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDisk{free: 900 * mb}
		var out bytes.Buffer
		g := newGuard(t, d, Config{Floor: -1, Ballast: -1, Logger: slog.New(slog.NewTextHandler(&out, nil))})
		h := &pauses{}
		g.Tell(h)
		r := g.Changes().Subscribe(g.Changes().Head())
		done := make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()
		for _, free := range []uint64{900, 40, 10, 200} {
			d.set(free * mb)
			time.Sleep(3 * time.Second) // of the bubble: past a tick
		}
		synctest.Wait()
		if diff := cmp.Diff([]bool{true, false}, h.told); diff != "" {
			t.Errorf("history was told: %s", diff)
		}
		for _, want := range []Level{EssentialOnly, HardStop, Ample} {
			if item, ok, err := r.Poll(); err != nil || !ok || item.Value.Level != want {
				t.Errorf("feed: %v, %v, %v, want %s", item.Value.Level, ok, err, want)
			}
		}
		if s := out.String(); !strings.Contains(s, "make room now") || !strings.Contains(s, "level=ERROR") {
			t.Errorf("log: %s", s)
		}
		d.mu.Lock()
		d.err = errors.New("gone")
		d.mu.Unlock()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if s := g.Status(); s.Err == nil || s.Level != Ample {
			t.Errorf("a disk that cannot be measured: %+v", s)
		}
	})
}
