package hub

import (
	"testing"
	"time"
)

func TestClock_GoesOnFromItsFloorUntilTheSystemsCanBeRight(t *testing.T) {
	floor := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	system := time.Date(1970, 1, 1, 0, 0, 7, 0, time.UTC)
	c := Clock{System: func() time.Time { return system }, Floor: floor}
	c.begin()
	is := func(want time.Time, trusted bool) {
		t.Helper()
		if now, ok := c.Now(); !now.Equal(want) || ok != trusted {
			t.Errorf("%s, trusted %t: want %s, %t", now, ok, want, trusted)
		}
	}
	is(floor, false)
	system = system.Add(time.Hour)
	is(floor.Add(time.Hour), false)
	system = system.Add(-2 * time.Hour) // set back
	is(floor, false)
	system = floor.Add(24 * time.Hour)
	is(system, true)
}
