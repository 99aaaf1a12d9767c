package uplink

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(day, hour int) time.Time { return time.Date(2026, 3, day, hour, 0, 0, 0, time.UTC) }

func TestClimb_SaysLessTheMoreIsSpent(t *testing.T) {
	b := Budget{PerDay: 1000, Reserve: 10}
	for _, test := range []struct {
		used uint64
		hour int
		want Rung
	}{
		{0, 0, RungFull}, {90, 0, RungFull}, {95, 0, RungEconomy}, {300, 0, RungCrisis}, {500, 12, RungFull}, {600, 12, RungEconomy},
		{730, 12, RungCrisis}, {899, 23, RungFull}, {900, 23, RungCalls}, {900, 1, RungCalls}, {1000, 1, RungSilent},
	} {
		l := climb(b, spent{}.add(test.used, at(3, test.hour)), at(3, test.hour))
		if l.Rung != test.want || (l.Cause == "") != (test.want == RungFull) {
			t.Errorf("%d bytes at %d h: %s (%q), want %s", test.used, test.hour, l.Rung, l.Cause, test.want)
		}
	}
	if l := climb(b, spent{}.add(1000, at(3, 23)), at(4, 0)); l.Rung != RungFull || l.UsedDay != 0 || l.UsedMonth != 1000 {
		t.Errorf("a new day begins on %s with %d bytes", l.Rung, l.UsedDay)
	}
	if l := climb(Budget{PerMonth: 31_000}, spent{}.add(25_000, at(10, 0)), at(10, 0)); l.Rung != RungCrisis {
		t.Errorf("a month that is spent on its tenth day is %s", l.Rung)
	}
	if l := climb(Budget{}, spent{}.add(1<<40, at(3, 1)), at(3, 1)); l.Rung != RungFull {
		t.Errorf("without a budget: %s", l.Rung)
	}
}

// Invariant 11: what goes up by itself never passes the budget less its reserve
// by more than one call, and calls never pass the budget by more than one.
func TestSync_11_BytesStayWithinTheBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Budget{PerDay: rapid.Uint64Range(10_000, 1_000_000).Draw(t, "budget"), Reserve: rapid.IntRange(1, 30).Draw(t, "reserve")}
		s, now := spent{}, at(1, 0)
		const chunk = 1000
		for range 500 {
			now = now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "s")) * time.Second)
			l := climb(b, s, now)
			n := uint64(rapid.IntRange(1, chunk).Draw(t, "bytes"))
			urgent := rapid.IntRange(0, 9).Draw(t, "urgent") == 0
			if l.Rung == RungSilent || l.Rung == RungCalls && !urgent {
				continue
			}
			if s = s.add(n, now); s.DayBytes > b.PerDay+chunk {
				t.Fatalf("%d bytes of %d", s.DayBytes, b.PerDay)
			}
			if ordinary := b.PerDay * uint64(100-b.Reserve) / 100; !urgent && s.DayBytes > ordinary+chunk {
				t.Fatalf("%d bytes of %d without the reserve", s.DayBytes, ordinary)
			}
		}
	})
}
