package presence_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/edge/internal/presence"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// watchman is presence that runs over a store in memory.
type watchman struct {
	*presence.Presence
	t    *testing.T
	fs   store.FileSystem
	kill func(cleanly bool)
}

func newWatchman(t *testing.T, fs store.FileSystem) *watchman {
	t.Helper()
	s, err := store.Open(store.Config{Dir: "hub", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	p, err := presence.New(t.Context(), presence.Config{Store: s, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return &watchman{Presence: p, t: t, fs: fs, kill: func(cleanly bool) {
		if cleanly {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		if !cleanly {
			<-done // its last write finds the store closed, as after a kill
		}
	}}
}

func (w *watchman) is(id fleet.DeviceID, want fleet.Presence) fleet.DeviceState {
	w.t.Helper()
	synctest.Wait()
	s, _ := w.State(id)
	if s.Presence != want {
		w.t.Errorf("%s is %s, want %s", id, s.Presence, want)
	}
	return s
}

func watch(id fleet.DeviceID) fleet.Device {
	return fleet.Device{ID: id, Type: fleet.Watch, Room: "bridge", Profile: "watch", Version: 1, CreatedAt: fleet.Millis(time.Now())}
}

// TestDefect4: stale status shown as live.
func TestDefect4_SilenceMovesReadyToLateToLostWithSinceAndAsOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t, store.InMemory())
		defer w.kill(true)
		w.Registered(watch("w-1"))
		w.is("w-1", fleet.NeverSeen)
		w.Connected("w-1", 1)
		seen := fleet.Millis(time.Now())
		s := w.is("w-1", fleet.Ready)
		if !s.Since.Equal(seen) || !s.LastSeen.Equal(seen) {
			t.Errorf("since %s, last seen %s, want %s", s.Since, s.LastSeen, seen)
		}
		time.Sleep(2*time.Minute + 45*time.Second) // one interval is a minute
		s = w.is("w-1", fleet.Late)
		if !s.LastSeen.Equal(seen) || !s.Since.After(seen) {
			t.Errorf("late since %s, last seen %s", s.Since, s.LastSeen)
		}
		time.Sleep(10 * time.Minute)
		w.is("w-1", fleet.Lost)
		w.Heard("w-1", nil)
		w.is("w-1", fleet.Ready)
	})
}

// Defect 8 of the product.
func TestDefect8_OldConnectionsEndDoesNotMarkADeviceThatIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t, store.InMemory())
		defer w.kill(true)
		w.Registered(watch("w-1"))
		w.Connected("w-1", 1)
		w.Connected("w-1", 2)
		w.Disconnected("w-1", 1, false)
		w.is("w-1", fleet.Ready)
		w.Disconnected("w-1", 2, false)
		w.is("w-1", fleet.Disconnected)
	})
}

func TestPresence_ButtonThatSaysGoodbyeSleepsAndAWatchDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t, store.InMemory())
		defer w.kill(true)
		b := watch("b-1")
		b.Type = fleet.Button
		w.Registered(b)
		w.Registered(watch("w-1"))
		for _, id := range []fleet.DeviceID{"b-1", "w-1"} {
			w.Connected(id, 7)
			w.Disconnected(id, 7, true)
		}
		w.is("b-1", fleet.Sleeping)
		w.is("w-1", fleet.Disconnected)
		time.Sleep(23 * time.Hour)
		w.is("b-1", fleet.Sleeping)
		w.is("w-1", fleet.Lost)
		time.Sleep(2 * time.Hour)
		w.is("b-1", fleet.Late)
		time.Sleep(24 * time.Hour)
		w.is("b-1", fleet.Lost)
	})
}

func TestPresence_VersionsGoOnUpwardsOverAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := store.InMemory()
		var told uint64
		for range 4 {
			w := newWatchman(t, fs)
			w.Registered(watch("w-1"))
			for n := range 20 {
				battery := 5 * n
				w.Heard("w-1", &dialect.Telemetry{Battery: &battery})
				if s, _ := w.State("w-1"); s.Version <= told {
					t.Fatalf("version %d after %d was told", s.Version, told)
				} else {
					told = s.Version
				}
			}
			w.kill(false)
		}
	})
}

// Defect 4 again: the start of the hub is no sign of life of its devices.
func TestPresence_RestartOfTheHubMakesNobodyReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := store.InMemory()
		w := newWatchman(t, fs)
		button := fleet.Device{ID: "b-1", Type: fleet.Button, Room: "cabin-1", Profile: "button", Version: 1, CreatedAt: fleet.Millis(time.Now())}
		devices := []fleet.Device{watch("ready"), watch("broken"), watch("lost"), button}
		for _, d := range devices {
			w.Registered(d)
			w.Connected(d.ID, 1)
			w.Heard(d.ID, nil)
		}
		w.Disconnected("lost", 1, false)
		time.Sleep(11 * time.Minute)
		w.Heard("ready", nil)
		w.Heard("broken", nil)
		w.Disconnected("broken", 1, false)
		w.Heard("b-1", nil)
		w.Disconnected("b-1", 1, true)
		before := map[fleet.DeviceID]fleet.Presence{
			"ready": fleet.Ready, "broken": fleet.Disconnected, "lost": fleet.Lost, "b-1": fleet.Sleeping,
		}
		for id, want := range before {
			w.is(id, want)
		}
		w.kill(true)
		w = newWatchman(t, fs)
		defer w.kill(true)
		for _, d := range devices {
			w.Registered(d)
		}
		time.Sleep(time.Minute)
		for id, want := range before {
			w.is(id, want)
		}
		time.Sleep(11 * time.Minute)
		for id, want := range map[fleet.DeviceID]fleet.Presence{
			"ready": fleet.Lost, "broken": fleet.Lost, "lost": fleet.Lost, "b-1": fleet.Sleeping,
		} {
			w.is(id, want)
		}
		w.Connected("lost", 1)
		w.is("lost", fleet.Ready)
	})
}

func TestStates_TellWhatChangedAfterAVersionInPiecesThatLeaveNothingOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t, store.InMemory())
		defer w.kill(true)
		want := map[fleet.DeviceID]int{}
		for i := range 100 {
			id := fleet.DeviceID("w-" + string(rune('a'+i%26)) + string(rune('a'+i/26)))
			w.Registered(watch(id))
			battery := i
			w.Heard(id, &dialect.Telemetry{Battery: &battery})
			want[id] = i
		}
		got := map[fleet.DeviceID]int{}
		for after := uint64(0); after < w.StateHead(); {
			b, err := w.States(after, 500)
			if err != nil || b.Upto <= after || b.After != after {
				t.Fatalf("batch after %d goes to %d: %v", after, b.Upto, err)
			}
			for _, s := range b.States {
				got[s.ID] = *s.Battery
			}
			after = b.Upto
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

func TestPresence_RemovedDeviceIsRetiredAndComesBackAsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t, store.InMemory())
		defer w.kill(true)
		d := watch("w-1")
		w.Registered(d)
		w.Connected("w-1", 1)
		d.Removed, d.Version = true, 2
		w.Registered(d)
		w.is("w-1", fleet.Retired)
		w.Heard("w-1", nil) // its last message, late
		w.is("w-1", fleet.Retired)
		d.Removed, d.Version = false, 3
		w.Registered(d)
		w.is("w-1", fleet.NeverSeen)
	})
}

func TestPresence_ProfilesReportingIntervalCountsInsteadOfTheTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slowly atomic.Int64
		slowly.Store(int64(time.Hour))
		s, err := store.Open(store.Config{Dir: "hub", FS: store.InMemory()})
		if err != nil {
			t.Fatal(err)
		}
		p, err := presence.New(t.Context(), presence.Config{
			Store: s, Now: time.Now, Interval: func(profile string) time.Duration {
				if profile == "slow" {
					return time.Duration(slowly.Load())
				}
				return 0
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		defer func() {
			cancel()
			if err := errors.Join(<-done, s.Close()); err != nil {
				t.Error(err)
			}
		}()
		slow := watch("w-slow")
		slow.Profile = "slow"
		p.Registered(slow)
		p.Registered(watch("w-type"))
		p.Connected("w-slow", 1)
		p.Connected("w-type", 2)
		is := func(id fleet.DeviceID, want fleet.Presence) {
			t.Helper()
			synctest.Wait()
			if s, _ := p.State(id); s.Presence != want {
				t.Errorf("%s is %s, want %s", id, s.Presence, want)
			}
		}
		time.Sleep(30 * time.Minute)
		is("w-type", fleet.Lost)
		is("w-slow", fleet.Ready)
		time.Sleep(2*time.Hour + 10*time.Second)
		is("w-slow", fleet.Late)
		// A change of the profile counts from the next look on.
		slowly.Store(int64(2 * time.Hour))
		time.Sleep(10 * time.Second)
		is("w-slow", fleet.Ready)
		// So does another profile.
		p.Registered(watch("w-slow"))
		time.Sleep(10 * time.Second)
		is("w-slow", fleet.Lost)
	})
}

func TestVia_IsTheWayOfTheLastMessageOfThisRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := store.InMemory()
		w := newWatchman(t, fs)
		w.Registered(watch("w-1"))
		if via, known := w.Via("w-1"); via != "" || known {
			t.Errorf("%q %t before it was heard", via, known)
		}
		for _, want := range []fleet.DeviceID{"rep-1", "rep-2", ""} {
			w.Through("w-1", want)
			if via, known := w.Via("w-1"); via != want || !known {
				t.Errorf("%q %t, want %q", via, known, want)
			}
		}
		w.Through("nobody", "rep-1")
		if _, known := w.Via("nobody"); known {
			t.Error("a device that is not registered has a way")
		}
		w.kill(true)
	})
}

func TestStates_OnlyWhatMovesByABandGoesAshore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t, store.InMemory())
		defer w.kill(false)
		w.Registered(watch("w-1"))
		hear := func(battery, signal int) bool {
			before := w.StateHead()
			w.Heard("w-1", &dialect.Telemetry{Battery: &battery, Signal: &signal})
			if s, _ := w.State("w-1"); *s.Battery != battery {
				t.Errorf("on board the battery is %d, want %d", *s.Battery, battery)
			}
			return w.StateHead() > before
		}
		for i, step := range []struct {
			battery, signal int
			tells           bool
		}{
			{80, -60, true}, {79, -60, false}, {80, -65, false}, {78, -60, true}, {78, -66, true}, {78, -61, false},
		} {
			if got := hear(step.battery, step.signal); got != step.tells {
				t.Errorf("step %d: told ashore: %t, want %t", i, got, step.tells)
			}
		}
		before := w.StateHead()
		time.Sleep(20 * time.Second)
		w.Heard("w-1", nil)
		if w.StateHead() != before {
			t.Error("a message that says nothing new costs bytes of the link")
		}
		w.WidenBands(4)
		if hear(72, -61) {
			t.Error("a wider band lets a step of 6 through")
		}
		if !hear(70, -61) {
			t.Error("a wider band holds a step of 8 back")
		}
		b, err := w.States(before, 1<<20)
		if err != nil || len(b.States) != 1 || *b.States[0].Battery != 70 {
			t.Errorf("what goes ashore is not the newest: %+v, %v", b, err)
		}
	})
}
